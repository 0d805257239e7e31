import { join } from "node:path";
import { expect, it } from "vitest";
import { until } from "../../bench/stage.ts";
import { describeWith } from "../component.ts";
import { openContainerPlace, repository } from "./container-place.ts";
import { run } from "./program.ts";

describeWith(
  "dockerd",
  "docker",
  "cosign",
  "busybox",
)("dewy container --verify-key", () => {
  it("runs what cosign signed, and keeps it when the next image is unsigned", {
    timeout: 120_000,
  }, async () => {
    const place = await openContainerPlace();
    const { directory, host } = place;
    const cosign = (...args: string[]) =>
      run("cosign", args, { COSIGN_PASSWORD: "", HOME: directory });
    await cosign("generate-key-pair", "--output-key-prefix", join(directory, "cosign"));
    const first = await place.push("v1.0.0");
    await cosign(
      ...["sign", "--yes", "--tlog-upload=false", "--allow-http-registry"],
      ...["--key", join(directory, "cosign.key"), `${host}/${repository}@${first.index}`],
    );
    const agent = place.start("app", "--verify-key", join(directory, "cosign.pub"));
    const at = ["-d", join(directory, "app")];
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
      status = await place.dewy("status", "--json", ...at);
      return status.includes("image of v1.1.0 has no signature");
    });
    const verified = expect.stringContaining("sigstore");
    expect(JSON.parse(status)).toMatchObject({ apps: [{ active: { verified } }] });
    await until("dewy history says why", async () =>
      (await place.dewy("history", "--json", ...at)).includes("has no signature"),
    );
  });
});
