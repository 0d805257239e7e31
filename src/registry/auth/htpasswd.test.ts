import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { passwordAuthenticator } from "./accounts.ts";
import { authenticatorContract } from "./authenticator.contract.ts";
import type { Authenticator, Credentials } from "./authenticator.ts";
import { openHtpasswd } from "./htpasswd.ts";
import { LoginLimit } from "./login-limit.ts";
import { basic, bearer, visitWith } from "./visit.fake.ts";

/** `htpasswd -Bbn -C 4`: the same password in the three forms there are. */
const correctHorse = "$2b$04$qeuQTEh9sjk6SgeHff6eJemjZ0gKdbxaI/YOjwJ9P7on0D8TvqK2S";

authenticatorContract("htpasswd", {
  open: async () => (await stage()).authenticator,
  good: () => basic("alice", "password"),
  bad: [
    basic("alice", "Password"),
    basic("alice", ""),
    basic("nobody", "password"),
    basic("", "password"),
    basic("alice\0", "password"),
    bearer("password"),
    { scheme: "other" },
  ],
});

describe("htpasswd", () => {
  it.each(["$2a$", "$2b$", "$2y$"])("takes a hash that begins with %s", async (prefix) => {
    const hash = correctHorse.replace("$2b$", prefix);
    const { tryWith } = await stage(`alice:${hash}\n`);

    expect(await tryWith(basic("alice", "password"))).toBe("alice");
  });

  it("reads the file again when it has changed, and not before", async () => {
    const { path, clock, tryWith } = await stage();
    expect(await tryWith(basic("alice", "password"))).toBe("alice");

    await writeFile(path, `bob:${correctHorse}\n`);
    await clock.advance(1_000);

    expect(await tryWith(basic("alice", "password"))).toBe("CREDENTIALS_REFUSED");
    expect(await tryWith(basic("bob", "password"))).toBe("bob");
  });

  it("sees a file that another one of the same size took the place of", async () => {
    const { path, clock, tryWith } = await stage();
    await writeFile(`${path}.new`, `alicf:${correctHorse}\n`);

    await rename(`${path}.new`, path);
    await clock.advance(1_000);

    expect(await tryWith(basic("alicf", "password"))).toBe("alicf");
  });

  it("names a broken line by its number once, and serves the others", async () => {
    const { logger, tryWith } = await stage(`alice:${correctHorse}\nbob:$apr1$x$y\n`);

    expect(await tryWith(basic("alice", "password"))).toBe("alice");
    expect(await tryWith(basic("bob", "y"))).toBe("CREDENTIALS_REFUSED");

    const passedOver = logger.lines.filter(({ message }) => message.includes("passed over"));
    expect(passedOver.map(({ fields }) => fields.line)).toEqual([2]);
    expect(JSON.stringify(logger.lines)).not.toContain("$apr1$");
  });

  it("lets nobody in while the file is gone, for who was in it may have been shut out", async () => {
    const { path, clock, tryWith } = await stage();
    await tryWith(basic("alice", "password"));

    await rm(path);
    await clock.advance(1_000);
    expect(await tryWith(basic("alice", "password"))).toBe("UNAVAILABLE");
    await writeFile(path, `alice:${correctHorse}\n`);

    expect(await tryWith(basic("alice", "password"))).toBe("alice");
  });

  it("takes as long for a user who does not exist as for a wrong password", async () => {
    const slow = correctHorse.replace("$04$", "$10$");
    const { tryWith } = await stage(`alice:${slow}\n`, 1_000);
    const bestOf = async (user: string) => {
      const times: number[] = [];
      for (let round = 0; round < 3; round++) {
        const begun = performance.now();
        await tryWith(basic(user, `wrong ${round}`));
        times.push(performance.now() - begun);
      }
      return Math.min(...times);
    };
    await tryWith(basic("warm", "up"));

    const ratio = (await bestOf("nobody")) / (await bestOf("alice"));

    // A shortcut would be hundreds of times faster; a busy machine is not.
    expect(ratio).toBeGreaterThan(0.2);
  });

  it("slows down whoever guesses, and nobody else, not even from the same place", async () => {
    const { tryWith, clock } = await stage(`alice:${correctHorse}\nbob:${correctHorse}\n`, 2);
    const guess = (round: number) => tryWith(basic("alice", `guess ${round}`));

    expect([await guess(1), await guess(2), await guess(3)]).toEqual([
      "CREDENTIALS_REFUSED",
      "CREDENTIALS_REFUSED",
      "TOO_MANY_FAILURES",
    ]);
    // Also with the right password: else the answer would tell when it was guessed.
    expect(await tryWith(basic("alice", "password"))).toBe("TOO_MANY_FAILURES");
    expect(await tryWith(basic("alice", "password"), "198.51.100.1")).toBe("alice");
    expect(await tryWith(basic("bob", "password"))).toBe("bob");
    await clock.advance(1_000);

    expect(await tryWith(basic("alice", "password"))).toBe("alice");
  });

  it("slows down guesses for a user who does not exist in the same way", async () => {
    const { tryWith } = await stage(undefined, 1);

    await tryWith(basic("nobody", "guess"));

    expect(await tryWith(basic("nobody", "guess"))).toBe("TOO_MANY_FAILURES");
  });

  it("logs who failed from where, and never with what", async () => {
    const { tryWith, logger } = await stage();

    await tryWith(basic("alice", "hunter22"));

    expect(logger.lines).toEqual([
      { level: "warn", message: "login failed", fields: { address: "192.0.2.1", user: "alice" } },
    ]);
    expect(JSON.stringify(logger.lines)).not.toContain("hunter22");
  });

  it("asks for a name and password", async () => {
    const { authenticator } = await stage();

    expect(authenticator.challenge(visitWith(undefined), "CREDENTIALS_NEEDED")).toEqual({
      scheme: "basic",
      parameters: { realm: "Registry Realm" },
    });
  });
});

async function stage(text = `alice:${correctHorse}\n`, attempts = 10) {
  const directory = await mkdtemp(join(tmpdir(), "dewy-htpasswd-"));
  const path = join(directory, "htpasswd");
  await writeFile(path, text);
  const clock = new FakeClock();
  const logger = new FakeLogger();
  const limit = new LoginLimit({ disabled: false, attempts }, clock);
  const accounts = await openHtpasswd(
    { path },
    { clock, logger, limit, rules: undefined },
    { signal: AbortSignal.timeout(10_000) },
  );
  const authenticator = passwordAuthenticator(accounts, "Registry Realm");
  onTestFinished(async () => {
    await authenticator.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { path, clock, logger, authenticator, tryWith: outcomesOf(authenticator) };
}

/** The user that was recognized, or why not. */
function outcomesOf(authenticator: Authenticator) {
  return async (credentials: Credentials, address = "192.0.2.1"): Promise<string | undefined> => {
    const call = { signal: AbortSignal.timeout(10_000) };
    try {
      const visit = visitWith(credentials, { address });
      return (await authenticator.identify(credentials, visit, call)).user;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
}
