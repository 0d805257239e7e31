import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { defaultRegistryConfig } from "../../src/registry/config.ts";
import { openRegistry, type Registry } from "../../src/registry/registry.ts";
import { describeWith } from "../component.ts";
import { startDockerRegistry } from "./docker-registry.ts";
import { startDockerd } from "./dockerd.ts";
import { writeIndexLayout, writeLayout } from "./oci-layout.ts";
import { podmanIn } from "./podman.ts";
import { run, temporaryDirectory } from "./program.ts";

describeWith("docker-registry", "skopeo")("the image registry and Distribution 2.8", () => {
  it("serves a directory that Distribution wrote", async ({ signal }) => {
    const directory = await temporaryDirectory("registry");
    const port = await freePort();
    const theirs = await startDockerRegistry(directory, port);
    await copyIn(await writeLayout("v1"), `127.0.0.1:${port}/team/app:v1`);
    await theirs.stop();

    const ours = await openOurs(directory);

    expect(await tagsOf(ours.host)).toEqual(["v1"]);
    expect(await filesCopiedFrom(`${ours.host}/team/app:v1`)).toBeGreaterThan(2);
    await ours.registry.close({ signal });
  });

  it("writes a directory that Distribution serves", async ({ signal }) => {
    const directory = await temporaryDirectory("registry");
    const ours = await openOurs(directory);
    await copyIn(await writeLayout("v1"), `${ours.host}/team/app:v1`);
    await ours.registry.close({ signal });
    const port = await freePort();

    await startDockerRegistry(directory, port);

    expect(await tagsOf(`127.0.0.1:${port}`)).toEqual(["v1"]);
    expect(await filesCopiedFrom(`127.0.0.1:${port}/team/app:v1`)).toBeGreaterThan(2);
    const catalog = await fetch(`http://127.0.0.1:${port}/v2/_catalog`);
    expect(await catalog.json()).toEqual({ repositories: ["team/app"] });
  });
});

describeWith("skopeo")("the image registry and skopeo", () => {
  it("takes an image for several platforms, gives it back, and deletes it", async () => {
    const { host } = await openOurs(await temporaryDirectory("registry"));
    const layout = `oci:${await writeIndexLayout("v1")}:v1`;
    const image = (reference: string) => `docker://${host}/team/app${reference}`;
    const skopeo = (command: string, ...args: string[]) => run("skopeo", [command, ...args]);
    await skopeo("copy", "--all", "--dest-tls-verify=false", layout, image(":v1"));
    await skopeo("copy", "--all", "--dest-tls-verify=false", layout, image(":v2"));
    await skopeo("copy", "--dest-tls-verify=false", layout, image(":one"));
    const both = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    await skopeo("copy", "--all", ...both, image(":v1"), `docker://${host}/elsewhere:v1`);

    const raw = ["--tls-verify=false", "--raw"];
    const index = await skopeo("inspect", ...raw, image(":v1"));
    expect(await skopeo("inspect", ...raw, `docker://${host}/elsewhere:v1`)).toBe(index);
    expect(JSON.parse(index).manifests).toHaveLength(2);
    const copy = await temporaryDirectory("copy");
    await skopeo("copy", "--all", "--src-tls-verify=false", image(":v1"), `dir:${copy}`);
    expect(await tagsOf(host)).toEqual(["one", "v1", "v2"]);

    await skopeo("delete", "--tls-verify=false", image(`@${digestOf(index)}`));
    expect(await tagsOf(host)).toEqual(["one"]);
    await skopeo("delete", "--tls-verify=false", image(":one"));
    expect(await tagsOf(host)).toEqual([]);
  });
});

describeWith("podman", "skopeo")("the image registry and podman", () => {
  it("takes an image and gives it back", async () => {
    const { host } = await openOurs(await temporaryDirectory("registry"));
    const podman = await podmanIn(await temporaryDirectory("podman"));
    const image = `${host}/team/app:v1`;
    await podman("load", "--input", await archiveOf(image));
    const id = await podman("image", "inspect", "--format", "{{.Id}}", image);

    await podman("push", "--tls-verify=false", image, `docker://${image}`);
    await podman("rmi", "--all", "--force");
    const pulled = await podman("pull", "--quiet", "--tls-verify=false", `docker://${image}`);

    expect(pulled).toBe(id);
  });
});

describeWith(
  "dockerd",
  "docker",
  "skopeo",
)("the image registry and docker", () => {
  it("takes an image and gives it back", async () => {
    const { host } = await openOurs(await temporaryDirectory("registry"));
    const docker = await startDockerd(await temporaryDirectory("docker"));
    const image = `${host}/team/app:v1`;
    await docker("load", "--input", await archiveOf(image));
    const id = await docker("image", "inspect", "--format", "{{.Id}}", image);

    await docker("push", image);
    await docker("image", "rm", "--force", image);
    await docker("pull", image);

    expect(await docker("image", "inspect", "--format", "{{.Id}}", image)).toBe(id);
  });
});

async function openOurs(directory: string): Promise<{ registry: Registry; host: string }> {
  const config = defaultRegistryConfig(directory);
  const registry = await openRegistry(
    { ...config, http: { ...config.http, addr: "127.0.0.1:0" } },
    { clock: systemClock, logger: silentLogger },
  );
  onTestFinished(() => registry.close({ signal: AbortSignal.abort() }));
  return { registry, host: new URL(registry.address).host };
}

/** An image as `docker save` writes it, which every engine loads. */
async function archiveOf(image: string): Promise<string> {
  const archive = join(await temporaryDirectory("archive"), "image.tar");
  const layout = `oci:${await writeLayout("v1")}:v1`;
  await run("skopeo", ["copy", layout, `docker-archive:${archive}:${image}`]);
  return archive;
}

async function copyIn(layout: string, image: string): Promise<void> {
  await run("skopeo", ["copy", "--dest-tls-verify=false", `oci:${layout}:v1`, `docker://${image}`]);
}

/** Copies an image out, which checks each digest, and counts the files it came in. */
async function filesCopiedFrom(image: string): Promise<number> {
  const directory = await temporaryDirectory("copy");
  await run("skopeo", ["copy", "--src-tls-verify=false", `docker://${image}`, `dir:${directory}`]);
  return (await run("ls", [directory])).split("\n").length;
}

async function tagsOf(host: string): Promise<unknown> {
  const arguments_ = ["list-tags", "--tls-verify=false", `docker://${host}/team/app`];
  return JSON.parse(await run("skopeo", arguments_)).Tags;
}
