import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { openReleaseRegistry } from "../../src/agent/registries/index.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { openOciClient } from "../../src/oci/client.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { pushRelease } from "../../src/oci/push-release.ts";
import { describeWith, pathOf } from "../component.ts";

const run = promisify(execFile);

describeWith("docker-registry", "skopeo")(
  "a pushed release, at Distribution's own registry",
  () => {
    it("is followed by dewy, and copied by skopeo with every byte", async ({ signal }) => {
      const directory = await temporaryDirectory();
      const host = await startDistribution(directory);
      const http = openHttpClient({ userAgent: "dewy/test" });
      onTestFinished(() => http.close());
      const bytes = randomBytes(3 * 1024 * 1024);
      const path = join(directory, "app.tar.gz");
      await writeFile(path, bytes);
      const credentials = async () => undefined;
      const client = openOciClient({ host, credentials, http, clock: systemClock });
      const platform = { os: "linux", architecture: "amd64" };
      const files = [{ path, name: "app.tar.gz", platform }];

      const release = { repository: "acme/app", tag: "v1.0.0+blue", files, created: new Date() };
      const pushed = await pushRelease(client, release, {}, { signal });

      const parts = { http, clock: systemClock, environment: {}, credentials };
      const { registry } = await openReleaseRegistry(`img://${host}/acme/app`, parts);
      expect(await registry.tags({ signal })).toEqual(["v1.0.0+blue"]);
      const found = await registry.release("v1.0.0+blue", { signal });
      expect(found?.artifacts).toMatchObject([{ digest: digestOf(bytes), platform }]);

      const source = `docker://${host}/acme/app:${pushed.tag}`;
      const { stdout } = await run("skopeo", ["inspect", "--raw", "--tls-verify=false", source]);
      expect(digestOf(stdout)).toBe(pushed.digest);

      const copy = join(directory, "copy");
      await run("skopeo", ["copy", "--all", "--src-tls-verify=false", source, `dir:${copy}`]);
      const blob = await readFile(join(copy, digestOf(bytes).slice("sha256:".length)));
      expect(blob.equals(bytes)).toBe(true);
    });
  },
);

async function startDistribution(directory: string): Promise<string> {
  const port = await freePort();
  const config = {
    version: 0.1,
    log: { level: "error" },
    storage: { filesystem: { rootdirectory: join(directory, "data") } },
    http: { addr: `127.0.0.1:${port}` },
  };
  await writeFile(join(directory, "config.yml"), JSON.stringify(config)); // YAML reads JSON
  const program = pathOf("docker-registry") ?? "";
  const child = spawn(program, ["serve", join(directory, "config.yml")], { stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  await untilAnswering(`http://127.0.0.1:${port}/v2/`);
  return `127.0.0.1:${port}`;
}

async function untilAnswering(url: string): Promise<void> {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const call = { signal: AbortSignal.timeout(10_000) };
  for (;;) {
    const answer = await http.request({ url }, call).catch(() => call.signal.throwIfAborted());
    answer?.discard();
    if (answer?.status === 200) return;
    await systemClock.sleep(20, call);
  }
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-external-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
