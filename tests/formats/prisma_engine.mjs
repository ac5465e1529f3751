// Prisma's own schema engine, as WebAssembly: what `prisma migrate deploy` and
// `prisma migrate resolve --rolled-back` make it do.
//
//   node prisma_engine.mjs PACKAGES URL FOLDER deploy NAME...
//   node prisma_engine.mjs PACKAGES URL FOLDER rolled-back NAME
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [packages, url, folder, order, ...names] = process.argv.slice(2);
const require = createRequire(join(packages, "package.json"));
const home = join(packages, "node_modules/@prisma/schema-engine-wasm");
const bindings = await import(join(home, "schema_engine_bg.js"));
const code = readFileSync(join(home, "schema_engine_bg.wasm"));
const { instance } = await WebAssembly.instantiate(code, { "./schema_engine_bg.js": bindings });
bindings.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

const { PrismaPg } = require("@prisma/adapter-pg");
const { bindMigrationAwareSqlAdapterFactory } = require("@prisma/driver-adapter-utils");
const adapter = bindMigrationAwareSqlAdapterFactory(new PrismaPg({ connectionString: url }));
const engine = await bindings.SchemaEngine.new({ datamodels: undefined }, () => {}, adapter);

const directory = (name) => ({
  path: name,
  migrationFile: {
    path: "migration.sql",
    content: { tag: "ok", value: readFileSync(join(folder, name, "migration.sql"), "utf8") },
  },
});
try {
  if (order === "rolled-back") {
    await engine.markMigrationRolledBack({ migrationName: names[0] });
  } else {
    await engine.applyMigrations({
      migrationsList: {
        baseDir: folder,
        shadowDbInitScript: "",
        lockfile: { path: "migration_lock.toml", content: 'provider = "postgresql"\n' },
        migrationDirectories: names.map(directory),
      },
      filters: { externalTables: [], externalEnums: [] },
    });
  }
  process.exit(0);
} catch (error) {
  console.error(String(error.message ?? error));
  process.exit(1);
}
