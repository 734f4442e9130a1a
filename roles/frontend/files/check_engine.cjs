// Fails when the source wants another Node.js: by "engines.node" in package.json, of which npm only warns, or by a setting
// that has pnpm download one of its own.
const { createRequire } = require("node:module");
const { existsSync, readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");

// npm always brings semver: beside itself in npm's own package, or where the distribution keeps modules.
const homes = [join(dirname(dirname(process.execPath)), "lib/node_modules/npm/package.json"), "/usr/share/nodejs/npm/package.json"];

// npm takes a file that an editor on Windows has put a mark before.
const read = (file) => (existsSync(file) ? readFileSync(file, "utf8").replace(/^\uFEFF/, "") : "");
const manifest = JSON.parse(read("package.json"));
const mend = "Set edusphere_app_node_version (in Compose mode edusphere_image_node) to one that fits";
const problems = [];

const wanted = manifest.engines?.node;
if (wanted && !createRequire(homes.find(existsSync))("semver").satisfies(process.version, wanted)) {
  problems.push(`The frontend's package.json wants Node.js ${wanted}, and this is ${process.version}. ${mend}.`);
}

const pinned = {
  "use-node-version in .npmrc": /^\s*use-node-version\s*=\s*["']?([^\s"']+)/m.exec(read(".npmrc"))?.[1],
  "useNodeVersion in pnpm-workspace.yaml": /^useNodeVersion:\s*["']?([^\s"']+)/m.exec(read("pnpm-workspace.yaml"))?.[1],
  "pnpm.executionEnv.nodeVersion in package.json": manifest.pnpm?.executionEnv?.nodeVersion,
};
for (const [setting, version] of Object.entries(pinned)) {
  if (version && `v${version}` !== process.version) {
    problems.push(`${setting} has pnpm download Node.js ${version}, and this is ${process.version}. ${mend}, or remove it.`);
  }
}

if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
