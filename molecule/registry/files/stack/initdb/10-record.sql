-- What the server listens on while it is being initialised.
CREATE TABLE record AS SELECT current_setting('listen_addresses') AS listened, current_user::text AS by;
