-- After the rewrite: customers are accounts, orders are wider, best sellers are gone.
CREATE DOMAIN money_amount AS numeric(14, 2) NOT NULL DEFAULT 0 CHECK (VALUE >= 0);
CREATE TABLE accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text COLLATE "C" NOT NULL,
    full_name text NOT NULL,
    phone text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_email UNIQUE (email) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE products (
    id bigserial PRIMARY KEY,
    sku varchar(40) NOT NULL,
    title text NOT NULL,
    price money_amount,
    stock smallint NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX products_sku ON products (lower(sku));
CREATE TYPE order_status AS ENUM ('draft', 'new', 'shipped');
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts (id) ON UPDATE CASCADE,
    status order_status NOT NULL DEFAULT 'draft',
    placed_at timestamp NOT NULL DEFAULT now()
);
CREATE TABLE order_lines (
    order_id bigint NOT NULL REFERENCES orders (id) ON DELETE RESTRICT,
    line smallint NOT NULL,
    product_id bigint NOT NULL REFERENCES products (id),
    quantity integer NOT NULL,
    PRIMARY KEY (order_id, line)
);
CREATE VIEW order_totals AS
    SELECT o.id, (sum(l.quantity * p.price))::numeric(14, 2) AS total, count(*) AS lines
    FROM orders o JOIN order_lines l ON l.order_id = o.id JOIN products p ON p.id = l.product_id
    GROUP BY o.id;
