import { existsSync } from "node:fs";
import { hostPlatform } from "./choose/platform.ts";
import type { Platform } from "./release.ts";

/** What this host can run. */
export function thisHost(): { platform: Platform; libc: "gnu" | "musl" } {
  const { arm_version: armVersion } = process.config.variables as Record<string, unknown>;
  const { platform, arch } = process;
  return {
    platform: hostPlatform({
      platform,
      arch,
      ...(armVersion ? { armVersion: String(armVersion) } : {}),
    }),
    libc: existsSync("/etc/alpine-release") ? "musl" : "gnu",
  };
}
