import { expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { ConfigError } from "../base/errors.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { withKept } from "./kept.ts";

it.runIf(process.platform === "linux")(
  "refuses at once a directory in which nothing can be made",
  { timeout: 5_000 },
  async ({ signal }) => {
    const parts = { clock: systemClock, logger: new FakeLogger() };

    const kept = withKept("/proc/dewy/app", parts, { signal }, async () => "kept");

    await expect(kept).rejects.toThrow(ConfigError);
    await expect(kept).rejects.toThrow("nothing can be kept in /proc/dewy/app");
  },
);
