import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { temporaryDirectory } from "./program.ts";

const program = fileURLToPath(new URL("../../dist/src/main.js", import.meta.url));
const combined =
  /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/v2\/ HTTP\/1\.1" 200 2 "-" "node"$/;

it("logs every request on standard output, to the last one before its end", async () => {
  const lines = await outputOf("text", false);

  expect(lines).toHaveLength(50);
  for (const line of lines) expect(line).toMatch(combined);
});

it("logs as JSON, with the fields of the configuration", async () => {
  const lines = await outputOf("json", false);

  expect(lines).toHaveLength(50);
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({
    ...{ level: "INFO", msg: "response completed", service: "registry" },
    ...{ "http.request.uri": "/v2/", "http.response.status": 200 },
  });
});

it("logs no request where that is switched off", async () => {
  expect(await outputOf("text", true)).toEqual([]);
});

/** What is on standard output after fifty requests and a SIGTERM. */
async function outputOf(formatter: string, disabled: boolean): Promise<string[]> {
  const file = join(await temporaryDirectory("config"), "config.yml");
  await writeFile(
    file,
    `version: 0.1
log: {formatter: ${formatter}, fields: {service: registry}, accesslog: {disabled: ${disabled}}}
storage: {inmemory: }
http: {addr: "127.0.0.1:0"}
`,
  );
  const child = spawn(process.execPath, [program, "registry", "serve", file]);
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const ended = once(child, "close");
  const address = await new Promise<string>((resolve) => {
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      const [, found] = /listens on (http:\S+)/.exec(log) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  for (let count = 0; count < 50; count++) {
    await (await fetch(`${address}/v2/`, { headers: { connection: "close" } })).text();
  }
  child.kill("SIGTERM");
  await ended;
  return output.split("\n").filter((line) => line !== "");
}
