import { type FileHandle, open, readFile, stat, truncate } from "node:fs/promises";
import { join } from "node:path";

const name = "proxy.log";
const mostBytes = 256 * 1024;
const mostLines = 20;
const longestLine = 500;

/** Where the process writes what nobody expected it to say. Begun anew when it has grown. */
export async function openProxyLog(directory: string): Promise<FileHandle> {
  const path = join(directory, name);
  const { size } = await stat(path).catch(() => ({ size: 0 }));
  if (size > mostBytes) await truncate(path);
  return open(path, "a", 0o600);
}

/** What it has written last, which is told once. */
export async function takeLastWords(directory: string): Promise<string[]> {
  const path = join(directory, name);
  const text = await readFile(path, "utf8").catch(() => "");
  if (text === "") return [];
  await truncate(path).catch(() => {});
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.slice(-mostLines).map((line) => line.slice(0, longestLine));
}
