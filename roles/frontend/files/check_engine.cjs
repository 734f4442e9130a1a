// Fails when package.json's "engines.node" doesn't admit this Node.js. npm only warns of that.
const { createRequire } = require("node:module");
const { execFileSync } = require("node:child_process");
const { readFileSync, realpathSync } = require("node:fs");

const wanted = JSON.parse(readFileSync("package.json", "utf8")).engines?.node;
if (wanted) {
  // npm always brings semver: beside itself in npm's own package, or where the distribution keeps modules.
  const npm = realpathSync(execFileSync("sh", ["-c", "command -v npm"], { encoding: "utf8" }).trim());
  const semver = createRequire(npm)("semver");
  if (!semver.satisfies(process.version, wanted)) {
    console.error(
      `The frontend's package.json wants Node.js ${wanted}, and the builder has ${process.version}. ` +
        "Install a Node.js that fits on the builder. Nothing that serves was touched.",
    );
    process.exit(1);
  }
}
