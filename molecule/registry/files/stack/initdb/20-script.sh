psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --command "ALTER TABLE record ADD COLUMN script text DEFAULT '$POSTGRES_DB'"
