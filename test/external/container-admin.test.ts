import { join } from "node:path";
import { expect, it } from "vitest";
import { until } from "../../bench/stage.ts";
import { describeWith } from "../component.ts";
import { openContainerPlace } from "./container-place.ts";

describeWith(
  "dockerd",
  "docker",
  "busybox",
)("what is seen of dewy container", () => {
  it("is each replica of every agent on the host, and how often it has ended", {
    timeout: 120_000,
  }, async () => {
    const place = await openContainerPlace();
    const { docker, dewy, directory, adminPort } = place;
    const list = () => dewy("container", "list", "--admin-port", String(adminPort));
    await expect(list()).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining("dewy: no running agent was found on 127.0.0.1:"),
    });
    await place.push("v1.0.0");
    place.start("web", "--name", "web", "--replicas", "2");
    place.start("api", "--name", "api", "--telemetry");
    await until("all three run", async () => (await list()).split("\n").length === 4);

    const lines = (await list()).split("\n");
    expect(lines[0]).toMatch(/^UPSTREAM +DEPLOY TIME +NAME$/);
    expect(lines.slice(1).map((line) => /(\w+)-\d+-\d$/.exec(line)?.[1])).toEqual([
      "api",
      "web",
      "web",
    ]);
    const at = ["-d", join(directory, "web")];
    await until("both serve", async () => (await dewy("status", ...at)).includes("2/2 serving"));
    const [{ replicas }] = JSON.parse(await dewy("status", "--json", ...at)).apps;
    const both = [
      { index: 0, tag: "v1.0.0", isServing: true },
      { index: 1, crashes: 0 },
    ];
    expect(replicas).toMatchObject({ serving: 2, asked: 2, containers: both });

    await docker("kill", replicas.containers[1].id);

    await until("it is said", async () =>
      (await dewy("why", ...at)).includes("One ended by itself"),
    );
    await until("it runs again", async () => {
      const [{ replicas: now }] = JSON.parse(await dewy("status", "--json", ...at)).apps;
      return now.serving === 2 && now.containers[1]?.crashes === 1;
    });
    const metrics = await metricsFrom(adminPort);
    expect(metrics).toMatch(/dewy_container_replicas\{app="api"\} 1/);
    expect(metrics).toMatch(/dewy_container_desired_replicas\{app="api"\} 1/);
    expect(metrics).toMatch(
      /dewy_container_status\{app="api",container="api-\d+-0",replica="0",state="running"\} 1/,
    );
    expect(metrics).toMatch(
      /dewy_container_info\{.*image="127\.0\.0\.1:.*",version="v1\.0\.0"\} 1/,
    );
    expect(metrics).toMatch(/dewy_container_started_timestamp_seconds\{.*\} 1\d{9}/);
    expect(metrics).toMatch(/dewy_container_restarts\{.*\} 0/);
  });
});

/** Of the agent that was told to measure, whichever port it has got: the next ones may be somebody else's. */
async function metricsFrom(first: number): Promise<string> {
  for (let port = first; port < first + 10; port++) {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
    const text = answer?.ok ? await answer.text() : "";
    if (text.includes("dewy_container_replicas")) return text;
  }
  throw new Error("nobody measures");
}
