// Fails when package.json's "engines.node" doesn't admit this Node.js. npm only warns of that.
const { createRequire } = require("node:module");
const { existsSync, readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");

// npm always brings semver: beside itself in npm's own package, or where the distribution keeps modules.
const homes = [join(dirname(dirname(process.execPath)), "lib/node_modules/npm/package.json"), "/usr/share/nodejs/npm/package.json"];

const wanted = JSON.parse(readFileSync("package.json", "utf8")).engines?.node;
if (wanted) {
  const semver = createRequire(homes.find(existsSync))("semver");
  if (!semver.satisfies(process.version, wanted)) {
    console.error(
      `The frontend's package.json wants Node.js ${wanted}, and this is ${process.version}. ` +
        "Set edusphere_app_node_version (in Compose mode edusphere_image_node) to one that fits.",
    );
    process.exit(1);
  }
}
