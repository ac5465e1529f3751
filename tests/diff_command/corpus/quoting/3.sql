CREATE TABLE "Order" ("select" int);
CREATE TABLE "order" ("Select" int PRIMARY KEY);
