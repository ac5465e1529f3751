-- Invoices: domains over domains, keys that go round in a circle, rules of several kinds.
CREATE DOMAIN currency AS char(3) CHECK (VALUE ~ '^[A-Z]{3}$');
CREATE DOMAIN positive AS numeric CHECK (VALUE > 0);
CREATE TABLE companies (id int PRIMARY KEY, main_address_id int, name text);
CREATE TABLE addresses (id int PRIMARY KEY, company_id int NOT NULL REFERENCES companies);
ALTER TABLE companies ADD FOREIGN KEY (main_address_id) REFERENCES addresses;
CREATE TABLE invoices (
    id int PRIMARY KEY, company_id int REFERENCES companies, amount positive, currency currency,
    UNIQUE (company_id, id)
);
