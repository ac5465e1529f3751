// Asks one peer once, for `make bench`: HOME TOOL BEFORE AFTER FILE.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const [home, tool, before, after, file] = process.argv.slice(2);
const service = fileURLToPath(new URL("../tests/diff_command/peers.mjs", import.meta.url));
const child = spawn(process.execPath, [...process.execArgv, service, home], {
  stdio: ["pipe", "pipe", "inherit"],
});
child.stdin.end(`${JSON.stringify({ tool, before, after })}\n`);
for await (const line of createInterface({ input: child.stdout })) {
  const found = JSON.parse(line);
  if (found.error) {
    console.log(found.error);
    process.exit(1);
  }
  writeFileSync(file, `${found.statements.join(";\n")};\n`);
}
