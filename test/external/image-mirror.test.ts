import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { parseRegistryConfig } from "../../src/registry/config.ts";
import { openRegistry } from "../../src/registry/registry.ts";
import { describeWith } from "../component.ts";
import { startDockerRegistry } from "./docker-registry.ts";
import { startDockerd } from "./dockerd.ts";
import { writeIndexLayout, writeLayout } from "./oci-layout.ts";
import { podmanIn } from "./podman.ts";
import { type Daemon, run, startDaemon, temporaryDirectory } from "./program.ts";

describeWith("docker-registry", "skopeo")("a mirror of Distribution 2.8", () => {
  it("gives skopeo an image for several platforms, also when Distribution is away", async () => {
    const theirs = await startTheirs();
    await copyIn(await writeIndexLayout("v1"), `${theirs.host}/team/app:v1`, "--all");
    const mirror = await openMirror({
      upstreams: [{ prefix: "theirs", remoteurl: `http://${theirs.host}` }],
    });
    const image = `docker://${mirror}/theirs/team/app`;

    await copyOut(`${image}:v1`);
    await theirs.stop();
    await copyOut(`${image}:v1`);

    const tags = JSON.parse(await run("skopeo", ["list-tags", "--tls-verify=false", image]));
    expect(tags.Tags).toEqual(["v1"]);
    await copyIn(await writeLayout("v1"), `${mirror}/ours/app:v1`);
    await copyOut(`docker://${mirror}/ours/app:v1`);
    const push = copyIn(await writeLayout("v1"), `${mirror}/theirs/team/app:v2`);
    await expect(push).rejects.toThrow();
  });

  it("moves a tag when Distribution has", async () => {
    const theirs = await startTheirs();
    const image = `${theirs.host}/team/app:latest`;
    const mirror = await openMirror({ remoteurl: `http://${theirs.host}`, tagttl: 0 });
    const digest = async (host: string) => {
      const args = ["inspect", "--tls-verify=false", "--format", "{{.Digest}}"];
      return await run("skopeo", [...args, `docker://${host}/team/app:latest`]);
    };

    await copyIn(await writeLayout("v1"), image);
    const first = await digest(mirror);
    await copyIn(await writeIndexLayout("v1"), image, "--all");

    expect(await digest(mirror)).toBe(await digest(theirs.host));
    expect(await digest(mirror)).not.toBe(first);
  });
});

describeWith(
  "docker-registry",
  "podman",
  "skopeo",
)("a mirror and podman", () => {
  it("stands in for a registry that podman cannot reach", async () => {
    const theirs = await startTheirs();
    await copyIn(await writeLayout("v1"), `${theirs.host}/team/app:v1`);
    const mirror = await openMirror({
      upstreams: [{ prefix: "away.example", remoteurl: `http://${theirs.host}` }],
    });
    const directory = await temporaryDirectory("podman");
    const registries = join(directory, "registries.conf");
    await writeFile(
      registries,
      `[[registry]]
location = "away.example"
[[registry.mirror]]
location = "${mirror}/away.example"
insecure = true
`,
    );
    const podman = await podmanIn(directory, { CONTAINERS_REGISTRIES_CONF: registries });

    await podman("pull", "--quiet", "away.example/team/app:v1");

    const names = await podman("images", "--format", "{{.Repository}}:{{.Tag}}");
    expect(names).toBe("away.example/team/app:v1");
  });
});

describeWith(
  "docker-registry",
  "dockerd",
  "docker",
  "skopeo",
)("a mirror and docker", () => {
  it("stands in for Docker Hub", async () => {
    const theirs = await startTheirs();
    await copyIn(await writeLayout("v1"), `${theirs.host}/library/our-own-app:v1`);
    const mirror = await openMirror({ remoteurl: `http://${theirs.host}` });
    const data = await temporaryDirectory("docker");
    const docker = await startDockerd(data, [`--registry-mirror=http://${mirror}`]);

    await docker("pull", "our-own-app:v1");

    const names = await docker("images", "--format", "{{.Repository}}:{{.Tag}}");
    expect(names).toBe("our-own-app:v1");
  });
});

describeWith(
  "docker-registry",
  "containerd",
  "ctr",
  "skopeo",
)("a mirror and containerd", () => {
  it("stands in for each registry that containerd names", async () => {
    const theirs = await startTheirs();
    await copyIn(await writeLayout("v1"), `${theirs.host}/team/app:v1`);
    const mirror = await openMirror({
      upstreams: [{ prefix: "away.example", remoteurl: `http://${theirs.host}` }],
    });
    const directory = await temporaryDirectory("containerd");
    const hosts = join(directory, "hosts");
    await mkdir(join(hosts, "_default"), { recursive: true });
    await writeFile(
      join(hosts, "_default", "hosts.toml"),
      `[host."http://${mirror}"]\ncapabilities = ["pull", "resolve"]\n`,
    );
    const ctr = await startContainerd(directory);

    const image = "away.example/team/app:v1";
    await ctr("images", "pull", "--snapshotter", "native", "--hosts-dir", hosts, image);

    expect(await ctr("images", "list", "--quiet")).toBe(image);
  });
});

async function startContainerd(directory: string) {
  const file = join(directory, "config.toml");
  const socket = join(directory, "containerd.sock");
  await writeFile(
    file,
    `version = 2
root = "${directory}/root"
state = "${directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "${socket}"
`,
  );
  const ctr = (...args: readonly string[]) => run("ctr", ["--address", socket, ...args]);
  const isReady = () =>
    ctr("version").then(
      () => true,
      () => false,
    );
  await startDaemon("containerd", ["--config", file], isReady);
  return ctr;
}

async function startTheirs(): Promise<Daemon & { host: string }> {
  const port = await freePort();
  const daemon = await startDockerRegistry(await temporaryDirectory("theirs"), port);
  return { ...daemon, host: `127.0.0.1:${port}` };
}

async function openMirror(proxy: object): Promise<string> {
  const rootdirectory = await temporaryDirectory("mirror");
  const storage = { filesystem: { rootdirectory } };
  const text = JSON.stringify({ version: 0.1, storage, http: { addr: "127.0.0.1:0" }, proxy });
  const config = parseRegistryConfig({ file: "config.yml", text, environment: {} });
  const registry = await openRegistry(config, { clock: systemClock, logger: silentLogger });
  onTestFinished(() => registry.close({ signal: AbortSignal.abort() }));
  return new URL(registry.address).host;
}

async function copyIn(layout: string, image: string, ...options: string[]): Promise<void> {
  const args = ["copy", ...options, "--dest-tls-verify=false"];
  await run("skopeo", [...args, `oci:${layout}`, `docker://${image}`]);
}

/** Copies an image out, which checks each digest. */
async function copyOut(image: string): Promise<void> {
  const directory = await temporaryDirectory("copy");
  await run("skopeo", ["copy", "--all", "--src-tls-verify=false", image, `dir:${directory}`]);
}
