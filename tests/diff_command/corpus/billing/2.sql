CREATE DOMAIN currency AS char(3) DEFAULT 'EUR'
    CONSTRAINT three_letters CHECK (VALUE ~ '^[A-Z]{3}$') CONSTRAINT known CHECK (VALUE <> 'XXX');
CREATE DOMAIN positive AS numeric CHECK (VALUE > 0);
CREATE DOMAIN small_positive AS positive CHECK (VALUE < 1000);
CREATE TABLE companies (
    id int PRIMARY KEY, main_address_id int, name text NOT NULL, vat text,
    CONSTRAINT companies_vat UNIQUE NULLS NOT DISTINCT (vat)
);
CREATE TABLE addresses (
    id int PRIMARY KEY, company_id int NOT NULL REFERENCES companies ON DELETE CASCADE,
    lines text[] CHECK (cardinality(lines) BETWEEN 1 AND 5)
);
ALTER TABLE companies ADD CONSTRAINT main_address FOREIGN KEY (main_address_id)
    REFERENCES addresses DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE invoices (
    id int PRIMARY KEY, company_id int REFERENCES companies, amount positive NOT NULL,
    discount small_positive, currency currency,
    net positive GENERATED ALWAYS AS ((amount * 0.8)) STORED,
    UNIQUE (company_id, id)
);
CREATE TABLE payments (
    company_id int, invoice_id int, at date NOT NULL DEFAULT CURRENT_DATE,
    FOREIGN KEY (company_id, invoice_id) REFERENCES invoices (company_id, id) MATCH FULL
);
CREATE STATISTICS payments_stats (ndistinct, dependencies) ON company_id, invoice_id FROM payments;
CREATE RULE no_deletes AS ON DELETE TO payments DO INSTEAD NOTHING;
