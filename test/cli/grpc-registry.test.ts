import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask } from "../../bench/load.ts";
import { built, run, until } from "../../bench/stage.ts";

const app = (version: string) => `
  import { createServer } from "node:http";
  const fd = Number(process.env.SERVER_STARTER_PORT.split("=")[1]);
  createServer((_, response) => response.end("${version}")).listen({ fd });
  process.once("SIGTERM", () => process.exit(0));
`;

it("follows the sample release registry, and tells it how deployments ended", {
  timeout: 60_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-grpc-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const releases = join(directory, "releases");
  await publish(releases, "v1.0.0", app("v1.0.0"));
  const server = await startServer(releases);
  const port = await freePort();

  const agent = run(
    [
      ...["server", "--registry", `grpc://127.0.0.1:${server.port}?no-tls=true`, "-i", "1"],
      ...["-p", String(port), "-d", join(directory, "app"), "--", process.execPath],
      "current/server.mjs",
    ],
    directory,
  );
  onTestFinished(async () => {
    await agent.stop();
  });
  await until("v1.0.0 is reported", async () => server.reports().length === 1);
  expect((await ask(`http://127.0.0.1:${port}/`)).body).toBe("v1.0.0");
  await publish(releases, "v1.1.0-rc.1", "process.exit(3)");
  await until("the failure is reported", async () => server.reports().length === 2);

  expect((await ask(`http://127.0.0.1:${port}/`)).body).toBe("v1.0.0");
  expect(server.reports()).toMatchObject([
    { tag: "v1.0.0", id: expect.stringContaining("v1.0.0/app.tar.gz@"), command: "server" },
    { tag: "v1.1.0-rc.1", command: "server", err: expect.stringContaining("status 3") },
  ]);
  expect(server.reports()[0]).not.toHaveProperty("err");
});

async function publish(releases: string, version: string, program: string): Promise<void> {
  const header = { name: "server.mjs", size: Buffer.byteLength(program) };
  const archive = gzipSync(await packTar([{ header, body: program }]));
  const draft = join(releases, version, ".draft");
  await mkdir(join(releases, version), { recursive: true });
  await writeFile(draft, archive);
  await rename(draft, join(releases, version, "app.tar.gz"));
}

async function startServer(releases: string) {
  const program = built("examples/grpc-registry/server.js");
  const child = spawn(process.execPath, [program, releases, "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  await until("the sample server listens", async () => said.includes("\n"));
  const lines = () =>
    said
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { port: Number(lines()[0]?.listening), reports: () => lines().slice(1) };
}
