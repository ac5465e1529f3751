-- Many to many, self references, counters kept by triggers, soft deletion.
CREATE TABLE users (id int PRIMARY KEY, handle text NOT NULL, bio text);
CREATE TABLE follows (
    follower int REFERENCES users, followed int REFERENCES users, PRIMARY KEY (follower, followed)
);
CREATE TABLE posts (
    id int PRIMARY KEY, author int NOT NULL REFERENCES users, reply_to int REFERENCES posts,
    body text NOT NULL
);
CREATE INDEX posts_author ON posts (author);
