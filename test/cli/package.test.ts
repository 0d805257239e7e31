import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const execute = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

it("works as an installed package", { timeout: 120_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-package-"));
  try {
    await execute("npm", ["pack", "--ignore-scripts", "--pack-destination", directory], {
      cwd: root,
    });
    const [archive = ""] = await readdir(directory);
    const prefix = join(directory, "prefix");
    await execute("npm", ["install", "-g", "--prefix", prefix, join(directory, archive)]);

    const { stdout } = await execute(join(prefix, "bin", "dewy"), ["--version"]);

    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    expect(stdout).toBe(`dewy version: ${version}\n`);
    const drop = await execute(join(prefix, "bin", "registry"), ["garbage-collect", "--help"]);
    expect(drop.stdout).toContain("--delete-untagged");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
