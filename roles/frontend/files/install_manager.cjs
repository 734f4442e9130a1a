// Installs a package manager from the npm registry: install_manager.cjs PREFIX PACKAGE VERSION ALGORITHM DIGEST HASHED.
//
// PREFIX is a directory that is made anew. Nothing of the package runs before its hash was compared with DIGEST, which is of
// the file HASHED in the package, or of its archive where HASHED is empty. Without a DIGEST, what the registry says counts.
const { execFileSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } = require("node:fs");
const { dirname, join } = require("node:path");

const [prefix, name, version, algorithm, digest, hashed] = process.argv.slice(2);
// As a global command npm reads no configuration of the source, in which the place is.
const options = ["--global", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];

mkdirSync(dirname(prefix), { recursive: true });
const place = mkdtempSync(join(dirname(prefix), ".package-manager-"));
const npm = (...words) => execFileSync("npm", [...words, ...options], { cwd: place, stdio: ["ignore", "ignore", "inherit"] });

function compare(file) {
  const found = createHash(algorithm).update(readFileSync(file)).digest("hex");
  if (found !== digest) {
    throw new Error(
      `${name}@${version} of the npm registry has the ${algorithm} ${found}, and ${digest} is declared ` +
        "(packageManager in package.json, or edusphere_app_package_manager_version). It was not used. " +
        "Correct the declared hash, if the registry is the one that you trust.",
    );
  }
}

let failure = "";
try {
  npm("pack", `${name}@${version}`);
  const archive = join(place, readdirSync(place).find((file) => file.endsWith(".tgz")));
  if (digest && !hashed) compare(archive);
  npm("install", "--prefix", join(place, "installed"), archive);
  if (digest && hashed) compare(join(place, "installed/lib/node_modules", name, hashed));
  rmSync(prefix, { recursive: true, force: true });
  renameSync(join(place, "installed"), prefix);
} catch (error) {
  failure = error.message;
} finally {
  rmSync(place, { recursive: true, force: true });
}
if (failure) {
  console.error(failure);
  process.exit(1);
}
