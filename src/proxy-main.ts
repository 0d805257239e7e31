// The process that carries the traffic of `dewy container`. The agent starts it.
import { runProxyProcess } from "./agent/proxy/proxy-process.ts";

process.title = "dewy: proxy";
for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
process.stdout.on("error", () => {});
await runProxyProcess(process.argv[2] ?? "", () => process.stdout.write("ready\n"));
process.exit();
