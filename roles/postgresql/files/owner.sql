-- What there is of the application's role and database, for edusphere.platform.postgres_owner.
SELECT json_build_object(
  'role', (
    SELECT row_to_json(role)
    FROM (
      SELECT oid = 10 AS bootstrap, rolcanlogin AS login, rolsuper AS superuser, rolcreatedb AS createdb,
        rolcreaterole AS createrole, rolreplication AS replication, rolbypassrls AS bypassrls
      FROM pg_roles WHERE rolname = :'owner'
    ) AS role
  ),
  'database', (
    SELECT json_build_object(
      'owner', pg_get_userbyid(datdba),
      'public', EXISTS (SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE grantee = 0)
    )
    FROM pg_database WHERE datname = :'database'
  )
);
