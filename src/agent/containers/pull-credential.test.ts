import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { withPassword } from "../../oci/credential.ts";
import { withCredential } from "./pull-credential.ts";

const options = { credential: withPassword("alice", "secret"), host: "a.test:5000" };

describe("the credential of a pull", () => {
  let directory: string;
  let own: string;
  beforeEach(async () => {
    const root = await mkdtemp(join(tmpdir(), "dewy-pull-"));
    onTestFinished(() => rm(root, { recursive: true }));
    [directory, own] = [join(root, "app"), join(root, "docker")];
    await mkdir(join(own, "contexts/meta"), { recursive: true });
  });

  it("is in a config of its own, nobody else's to read, and gone afterwards", async () => {
    const place = { directory, environment: {} };

    const { config, mode } = await withCredential(options, place, async (at = "") => ({
      config: await readFile(join(at, "config.json"), "utf8"),
      mode: (await stat(at)).mode & 0o777,
    }));

    const auth = Buffer.from("alice:secret").toString("base64");
    expect(JSON.parse(config)).toEqual({ auths: { "a.test:5000": { auth } } });
    expect(mode).toBe(0o700);
    expect(await readdir(directory)).toEqual([]);
  });

  it("leaves the engine be that the user's config means, and keeps its credentials out", async () => {
    const auths = { "b.test": { auth: "eDp5" } };
    const config = { auths, credsStore: "pass", currentContext: "far" };
    await writeFile(join(own, "config.json"), JSON.stringify(config));
    const place = { directory, environment: { DOCKER_CONFIG: own } };

    const seen = await withCredential(options, place, async (at = "") => ({
      config: JSON.parse(await readFile(join(at, "config.json"), "utf8")),
      contexts: await readdir(join(at, "contexts")),
    }));

    expect(seen.config).toMatchObject({ currentContext: "far" });
    expect(Object.keys(seen.config.auths)).toEqual(["a.test:5000"]);
    expect(seen.config).not.toHaveProperty("credsStore");
    expect(seen.contexts).toEqual(["meta"]);
    expect(await readdir(join(own, "contexts"))).toEqual(["meta"]);
  });

  it("needs no config that can be read, and no directory where there is no credential", async () => {
    await writeFile(join(own, "config.json"), "{");
    const place = { directory, environment: { HOME: own, DOCKER_CONFIG: own } };

    const read = async (at = "") => readFile(join(at, "config.json"), "utf8");
    const none = { ...options, credential: undefined };

    expect(await withCredential(options, place, read)).toContain("a.test:5000");
    expect(await withCredential(none, place, async (at) => at)).toBeUndefined();
  });
});
