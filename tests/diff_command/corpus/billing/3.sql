CREATE DOMAIN currency AS text CHECK (length(VALUE) = 3);
CREATE TABLE addresses (id bigint PRIMARY KEY, lines text[]);
CREATE TABLE companies (id bigint PRIMARY KEY, address_id bigint REFERENCES addresses, name text);
CREATE TABLE invoices (
    id bigint PRIMARY KEY, company_id bigint REFERENCES companies, amount numeric(12, 2),
    currency currency NOT NULL
);
