CREATE TABLE users (
    id bigint PRIMARY KEY, handle varchar(30) NOT NULL UNIQUE, deleted_at timestamptz
);
CREATE TABLE follows (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    follower bigint NOT NULL REFERENCES users, followed bigint NOT NULL REFERENCES users,
    UNIQUE (followed, follower)
);
CREATE TABLE posts (
    id bigint PRIMARY KEY, author bigint REFERENCES users ON DELETE SET NULL, body varchar(280)
);
CREATE TABLE likes (post_id bigint REFERENCES posts, user_id bigint REFERENCES users);
CREATE VIEW timeline AS
    SELECT f.follower, p.id, p.body, (SELECT count(*) FROM likes l WHERE l.post_id = p.id) AS likes
    FROM follows f JOIN posts p ON p.author = f.followed;
