-- For a volume whose superuser is the application's user: what initdb made can't lose that right. So it becomes postgres,
-- and a role of its former name gets the application's password and all that is the application's. One transaction:
-- whoever logs in meets the one or the other, and sessions that are there go on.
BEGIN;
-- Shorter than deadlock_timeout: this gives way, and no visitor's transaction is ended for it.
SET LOCAL lock_timeout = '500ms';
-- The password's hash, which is below, is in no log.
SET LOCAL log_statement = 'none';
SET LOCAL log_min_duration_statement = -1;
SET LOCAL log_min_error_statement = 'panic';

-- A session can't rename the role that it is.
CREATE ROLE edusphere_handover SUPERUSER;
SET LOCAL SESSION AUTHORIZATION edusphere_handover;
SELECT format('ALTER ROLE %I RENAME TO postgres', rolname) FROM pg_roles WHERE oid = 10 \gexec
CREATE ROLE :"owner" LOGIN;
SELECT format('ALTER ROLE %I PASSWORD %L', :'owner', rolpassword) FROM pg_authid WHERE oid = 10 \gexec
ALTER ROLE postgres PASSWORD NULL;

-- Of the role itself: its settings, and who is a member of it, who must not become one of the superuser.
UPDATE pg_db_role_setting SET setrole = (SELECT oid FROM pg_roles WHERE rolname = :'owner') WHERE setrole = 10;
SELECT format(command, pg_get_userbyid(member), :'owner')
FROM pg_auth_members, unnest(ARRAY['REVOKE postgres FROM %1$I', 'GRANT %2$I TO %1$I']) WITH ORDINALITY AS commands (command, number)
WHERE roleid = 10 AND member <> 10
ORDER BY member, number \gexec

-- What the application will make is open to the same roles.
SELECT format(
  'ALTER DEFAULT PRIVILEGES FOR ROLE %I %s GRANT %s ON %s TO %s %s', :'owner',
  CASE WHEN defaclnamespace = 0 THEN '' ELSE format('IN SCHEMA %s', defaclnamespace::regnamespace) END,
  privilege_type,
  CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END,
  CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(grantee)) END,
  CASE WHEN is_grantable THEN 'WITH GRANT OPTION' ELSE '' END
)
FROM pg_default_acl, aclexplode(defaclacl)
WHERE defaclrole = 10 AND grantee <> 10 \gexec

-- The application's objects. Of an extension, the parts stay the superuser's, as where the database's owner makes one.
SELECT format('ALTER %s %s OWNER TO %I', replace(object.type, 'statistics object', 'statistics'), object.identity, :'owner')
FROM (
  SELECT 'pg_namespace'::regclass, oid, nspowner FROM pg_namespace WHERE nspname !~ '^pg_'
  UNION ALL
  -- Sequences of columns follow their tables, and types of rows and arrays what they are of.
  SELECT 'pg_class'::regclass, oid, relowner FROM pg_class
  WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND relpersistence <> 't'
    OR relkind = 'S' AND relpersistence <> 't' AND NOT EXISTS (
      SELECT FROM pg_depend
      WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
    )
  UNION ALL
  SELECT 'pg_type'::regclass, oid, typowner FROM pg_type
  WHERE typtype IN ('d', 'e', 'r') OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE oid = typrelid AND relkind = 'c')
  UNION ALL SELECT 'pg_proc'::regclass, oid, proowner FROM pg_proc
  UNION ALL SELECT 'pg_operator'::regclass, oid, oprowner FROM pg_operator
  UNION ALL SELECT 'pg_collation'::regclass, oid, collowner FROM pg_collation
  UNION ALL SELECT 'pg_ts_dict'::regclass, oid, dictowner FROM pg_ts_dict
  UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgowner FROM pg_ts_config
  UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxowner FROM pg_statistic_ext
  UNION ALL SELECT 'pg_largeobject'::regclass, oid, lomowner FROM pg_largeobject_metadata
) AS owned (class, oid, owner), pg_identify_object(owned.class, owned.oid, 0) AS object
-- What initdb makes has lower numbers.
WHERE owned.owner = 10 AND owned.oid >= 16384
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = owned.class AND objid = owned.oid AND deptype = 'e')
ORDER BY owned.class, owned.oid \gexec
ALTER DATABASE :"database" OWNER TO :"owner";

RESET SESSION AUTHORIZATION;
DROP ROLE edusphere_handover;
COMMIT;
