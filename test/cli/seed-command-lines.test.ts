import { describe, expect, it } from "vitest";
import { openReleaseRegistry } from "../../src/agent/registries/index.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { planned } from "../../src/cli/main.fake.ts";
import { containerLines, type SeedLine, seedLines } from "./seed-command-lines.ts";

const environment = { GITHUB_TOKEN: "token", ENVIRONMENT: "staging", DEWY_CACHEDIR: "/app/cache" };

describe("the command lines of the founding documents", () => {
  it.each(seedLines)("mean what they say: $line $completedBy", async (seed) => {
    const { status, noted, plan } = await planned(wordsOf(seed), { environment });

    expect({ status, noted }).toEqual({ status: 0, noted: [] });
    const { rules, logLevel = "info", logFormat = "text", mode = "server", ...app } = seed.means;
    expect(plan?.process).toMatchObject({ logLevel, logFormat });
    expect(plan?.apps).toEqual([expect.objectContaining({ mode, ...app })]);
    if (rules) expect(await rulesOf(app.registry)).toMatchObject(rules);
  });

  it.each(seedLines.filter(({ completedBy }) => completedBy === "-- /opt/myapp/current/myapp"))(
    "say in one line which word is missing where the document ends early: $line",
    async ({ line }) => {
      const { status, noted, plan } = await planned(split(line).slice(1), { environment });

      expect(status).toBe(2);
      expect(plan).toBeUndefined();
      expect(noted).toEqual([expect.stringMatching(/dewy server .*-- (COMMAND|current\/app)/)]);
    },
  );

  it.each(containerLines)("run containers: $line", async ({ line, means }) => {
    const { status, noted, plan } = await planned(split(line).slice(1), { environment });

    expect({ status, noted }).toEqual({ status: 0, noted: [] });
    const { container, ...app } = means;
    expect(plan?.apps).toEqual([expect.objectContaining({ mode: "container", ...app })]);
    expect(plan?.apps[0]?.container).toMatchObject(container);
  });
});

function wordsOf({ line, completedBy = "" }: SeedLine): string[] {
  return split(`${line} ${completedBy}`).slice(1);
}

/** As a shell does where there is nothing but words and double quotes. */
function split(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? "");
}

async function rulesOf(url: string) {
  const http = openHttpClient({ userAgent: "dewy/test", environment });
  const parts = { http, environment, clock: systemClock, logger: silentLogger };
  const { registry, rules } = await openReleaseRegistry(url, parts);
  await registry.close();
  http.close();
  return rules;
}
