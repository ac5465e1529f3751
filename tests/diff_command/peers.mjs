// The peers as a service: one JSON document a line, in and out, so that Node starts once.
//   {"tool": "pg-delta" | "migra", "before": URL, "after": URL}
//   -> {"statements": ["..."], "differences": ["..."]} or {"error": "..."}
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [home] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${home}/package.json`));
// They talk on the standard output, which is ours.
const write = process.stdout.write.bind(process.stdout);
const answer = (text) => new Promise((done) => write(text, done));
for (const word of ["log", "info", "warn", "error", "debug"]) console[word] = () => {};

const delta = await import(
  pathToFileURL(`${home}/node_modules/@supabase/pg-delta/dist/index.js`).href
);
const pg = createRequire(
  pathToFileURL(`${home}/node_modules/@supabase/pg-delta/package.json`),
)("pg");
const migra = require("@pgkit/migra");
const { createClient } = require("@pgkit/client");

async function askDelta(before, after) {
  const pools = [before, after].map((url) => new pg.Pool({ connectionString: url, max: 3 }));
  try {
    const [source, desired] = await Promise.all(pools.map((pool) => delta.extract(pool)));
    const differences = delta.diff(source.factBase, desired.factBase).map((each) => {
      const subject = each.fact?.id ?? each.id ?? each.edge?.from;
      return `${each.verb} ${subject ? delta.encodeId(subject) : JSON.stringify(each)}`;
    });
    const plan = delta.plan(source.factBase, desired.factBase, { renames: "off" });
    return { differences, statements: plan.actions.map((action) => action.sql) };
  } finally {
    await Promise.all(pools.map((pool) => pool.end()));
  }
}

async function askMigra(before, after) {
  const clients = [createClient(before), createClient(after)];
  try {
    const migration = await migra.run(clients[0], clients[1], {
      unsafe: true,
      withPrivileges: true,
    });
    const sql = migration.sql.trim();
    return { differences: sql ? [sql] : [], statements: sql ? [sql] : [] };
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { tool, before, after } = JSON.parse(line);
  let result;
  try {
    result = await (tool === "migra" ? askMigra : askDelta)(before, after);
  } catch (error) {
    result = { error: String(error?.stack ?? error).slice(0, 2000) };
  }
  await answer(`${JSON.stringify(result)}\n`);
}
process.exit(0);
