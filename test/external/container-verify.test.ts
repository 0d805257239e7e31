import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { run as startAgent, until } from "../../bench/stage.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { openOciClient } from "../../src/oci/client.ts";
import { describeWith } from "../component.ts";
import { type PushedImage, pushBusybox } from "./busybox-image.ts";
import { startDockerd } from "./dockerd.ts";
import { run, temporaryDirectory } from "./program.ts";
import { program, serveRegistry } from "./served-registry.ts";

const repository = "acme/app";

describeWith(
  "dockerd",
  "docker",
  "cosign",
  "busybox",
)("dewy container --verify-key", () => {
  it("runs what cosign signed, and keeps it when the next image is unsigned", {
    timeout: 120_000,
  }, async () => {
    const place = await openPlace();
    const first = await place.push("v1.0.0");
    await place.sign(first);
    const agent = place.start();
    await until("v1.0.0 runs", async () => (await place.running()) === "v1.0.0");
    await until("it is committed", async () => agent.log().includes("Keep releases"));

    await place.push("v1.1.0");

    await until("it is refused", async () =>
      agent.log().includes("image of v1.1.0 has no signature"),
    );
    expect(await place.running()).toBe("v1.0.0");
    expect(agent.log()).toContain("Artifact verified");
    expect(await place.docker("images", "--digests", "--format", "{{.Digest}}")).toBe(
      first.manifest,
    );
    let status = "";
    await until("dewy status says why", async () => {
      status = await place.dewy("status", "--json");
      return status.includes("image of v1.1.0 has no signature");
    });
    const verified = expect.stringContaining("sigstore");
    expect(JSON.parse(status)).toMatchObject({ apps: [{ active: { verified } }] });
    await until("dewy history says why", async () =>
      (await place.dewy("history", "--json")).includes("has no signature"),
    );
  });
});

async function openPlace() {
  const directory = await temporaryDirectory("container-verify");
  await mkdir(join(directory, "registry"));
  const docker = await startDockerd(directory);
  const { address } = await serveRegistry(join(directory, "registry"));
  const { host } = new URL(address);
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const client = openOciClient({
    host,
    http,
    clock: systemClock,
    credentials: async () => undefined,
  });
  const cosign = (...args: string[]) =>
    run("cosign", args, { COSIGN_PASSWORD: "", HOME: directory });
  await cosign("generate-key-pair", "--output-key-prefix", join(directory, "cosign"));
  const own = { DOCKER_HOST: `unix://${join(directory, "docker.sock")}` };
  const place = ["-d", join(directory, "app")];

  return {
    docker,
    push: (tag: string) => pushBusybox(client, { repository, tag }),
    sign: ({ index }: PushedImage) =>
      cosign(
        ...["sign", "--yes", "--tlog-upload=false", "--allow-http-registry"],
        ...["--key", join(directory, "cosign.key"), `${host}/${repository}@${index}`],
      ),
    start() {
      const args = [
        ...["container", "--registry", `img://${host}/${repository}`, ...place],
        ...["--proxy", "none", "--stop-on-exit", "-i", "1", "-l", "info"],
        ...["--verify-key", join(directory, "cosign.pub")],
      ];
      const agent = startAgent(args, directory, { environment: own });
      onTestFinished(async () => void (await agent.stop()));
      return agent;
    },
    running: () => docker("ps", "--format", '{{.Label "dewy.version"}}'),
    dewy: (command: string, ...args: string[]) =>
      run(process.execPath, [program, command, ...args, ...place], own),
  };
}
