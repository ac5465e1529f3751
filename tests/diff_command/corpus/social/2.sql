CREATE TABLE users (
    id int PRIMARY KEY, handle text NOT NULL, bio text DEFAULT '', posts int NOT NULL DEFAULT 0,
    deleted_at timestamptz, settings jsonb NOT NULL DEFAULT '{"theme": "dark"}'
);
CREATE UNIQUE INDEX users_handle ON users (lower(handle)) WHERE deleted_at IS NULL;
CREATE TABLE follows (
    follower int REFERENCES users ON DELETE CASCADE, followed int REFERENCES users ON DELETE CASCADE,
    since date NOT NULL DEFAULT now(), PRIMARY KEY (follower, followed), CHECK (follower <> followed)
);
CREATE TABLE posts (
    id int PRIMARY KEY, author int NOT NULL REFERENCES users, reply_to int REFERENCES posts,
    body text NOT NULL, search tsvector GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED
);
CREATE INDEX posts_author ON posts (author, id DESC);
CREATE INDEX posts_search ON posts USING gin (search);
CREATE FUNCTION count_posts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE users SET posts = posts + 1 WHERE id = NEW.author;
    RETURN NULL;
END $$;
CREATE TRIGGER count_posts AFTER INSERT ON posts FOR EACH ROW EXECUTE FUNCTION count_posts();
CREATE VIEW timeline AS
    SELECT f.follower, p.* FROM follows f JOIN posts p ON p.author = f.followed;
CREATE VIEW visible_users AS SELECT * FROM users WHERE deleted_at IS NULL;
