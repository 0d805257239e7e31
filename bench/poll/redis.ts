import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { freePort } from "../free-port.ts";
import { until } from "../stage.ts";

/** Counts the commands that clients send, without those that scripts call within Redis. */
export async function openCounter(port: number) {
  const { Redis } = await import("ioredis");
  const redis = new Redis({ host: "127.0.0.1", port });
  return {
    async commands(): Promise<number> {
      const text = await redis.info("commandstats");
      const calls = [...text.matchAll(/^cmdstat_(\w+):calls=(\d+)/gm)];
      const sent = calls.filter(([, name = ""]) => sentByAgents.has(name));
      return sent.reduce((sum, [, , count]) => sum + Number(count), 0);
    },
    close: () => redis.disconnect(),
  };
}

const sentByAgents = new Set(["eval", "evalsha"]);

/** `undefined` when there is no `redis-server` on this machine. */
export async function startRedis(): Promise<{ port: number; stop(): Promise<void> } | undefined> {
  const port = await freePort();
  const options = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const child: ChildProcess = spawn("redis-server", options, { stdio: "ignore" });
  const isMissing = await Promise.race([
    once(child, "error").then(() => true),
    once(child, "spawn").then(() => false),
  ]);
  if (isMissing) return undefined;
  const { Redis } = await import("ioredis");
  const redis = new Redis({ host: "127.0.0.1", port });
  redis.on("error", () => {});
  await until("Redis answers", async () => (await redis.ping()) === "PONG");
  redis.disconnect();
  return {
    port,
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}
