-- One database for many tenants, kept apart by row security.
CREATE SCHEMA app;
CREATE TABLE app.tenants (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL);
CREATE TABLE app.documents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES app.tenants,
    body text
);
CREATE FUNCTION app.current_tenant() RETURNS uuid LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('app.tenant', true), '')::uuid $$;
ALTER TABLE app.documents ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON app.documents USING (tenant_id = app.current_tenant());
GRANT USAGE ON SCHEMA app TO tenant_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.documents TO tenant_user;
