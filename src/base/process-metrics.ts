import { readdir } from "node:fs/promises";
import type { Metric } from "./instruments.ts";

/** What this process takes, under the names that every Prometheus client gives it. */
export async function readProcessMetrics(startedAt: Date): Promise<Metric[]> {
  const { user, system } = process.cpuUsage();
  const metrics = [
    counter("process.cpu.time", "process_cpu_seconds_total", "s", (user + system) / 1e6),
    gauge("process.memory.usage", "process_resident_memory_bytes", "By", process.memoryUsage.rss()),
    gauge("process.start_time", "process_start_time_seconds", "s", startedAt.getTime() / 1000),
  ];
  const files = await readdir("/proc/self/fd").catch(() => undefined);
  if (files === undefined) return metrics; // macOS
  return [
    ...metrics,
    gauge("process.open_file_descriptor.count", "process_open_fds", "", files.length),
  ];
}

function gauge(name: string, prometheus: string, unit: Metric["unit"], value: number): Metric {
  const series = [{ labels: {}, value }];
  return { name, prometheus, unit, help: helps[name] ?? name, kind: "gauge", series };
}

function counter(name: string, prometheus: string, unit: Metric["unit"], value: number): Metric {
  const series = [{ labels: {}, value }];
  return { name, prometheus, unit, help: helps[name] ?? name, kind: "counter", series };
}

const helps: Record<string, string> = {
  "process.cpu.time": "User and system CPU time this process has taken, in seconds.",
  "process.memory.usage": "Resident memory of this process, in bytes.",
  "process.start_time": "When this process began, in Unix time.",
  "process.open_file_descriptor.count": "Open file descriptors of this process.",
};
