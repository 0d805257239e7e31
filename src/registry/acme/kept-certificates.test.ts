import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { HttpError } from "../../base/http-error.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { issue } from "../certificate.fake.ts";
import { AcmeError } from "./acme-exchange.ts";
import { openCertificateStore } from "./certificate-store.ts";
import { keepCertificates } from "./kept-certificates.ts";

const dayMs = 86_400_000;
const host = "localhost";

it("asks for what is missing, and again before a third of its life is left", async () => {
  const { clock, served, start } = await kept();
  await start();
  await expect.poll(() => served).toHaveLength(1);

  await clock.advance(55 * dayMs);
  expect(served).toHaveLength(1);
  await clock.advance(5 * dayMs);

  await expect.poll(() => served).toHaveLength(2);
  expect(served[0]).not.toBe(served[1]);
});

it("serves what is stored before it asks anybody, and leaves it until it is due", async () => {
  const directory = await temporaryDirectory();
  const stored = valid(new Date("2026-01-01T00:00:00Z"), 90);
  await writeFile(join(directory, host), stored.key + stored.cert);
  const { clock, asked, served, start } = await kept({ directory });

  expect(served).toEqual([stored.cert]);
  await start();
  await clock.advance(50 * dayMs);

  expect(asked).toEqual([]);
});

it("asks for another where the stored one is of no use, and says so", async () => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, host), "half a fi");
  const { logger, served, start } = await kept({ directory });

  await start();

  await expect.poll(() => served).toHaveLength(1);
  expect(logger.messages("warn")).toEqual([
    "a stored TLS certificate is not used, and another is asked for",
  ]);
  expect((await stat(join(directory, host))).mode & 0o777).toBe(0o600);
  expect(await readFile(join(directory, host), "utf8")).toContain(served[0]);
});

it("asks an authority that cannot be reached again within seconds", async () => {
  const down = new HttpError("UNREACHABLE", "cannot reach ca.example.com: nothing listens there");
  const { clock, logger, asked, served, start } = await kept({ failures: [down, down] });

  await start();
  await clock.advance(10_000);
  await expect.poll(() => clock.sleeping).toBe(1);
  await clock.advance(20_000);

  await expect.poll(() => served).toHaveLength(1);
  expect(asked).toHaveLength(3);
  expect(logger.messages("warn")).toEqual([
    "there is no TLS certificate yet: clients of this host are turned away",
    "there is no TLS certificate yet: clients of this host are turned away",
  ]);
});

it("leaves an authority alone for as long as it says, and keeps what it has meanwhile", async () => {
  const retryAfterMs = 5 * dayMs;
  const limited = new AcmeError("RATE_LIMITED", "ca answers 429", { retryAfterMs });
  const directory = await temporaryDirectory();
  const stored = valid(new Date("2025-10-05T00:00:00Z"), 90);
  await writeFile(join(directory, host), stored.key + stored.cert);
  const { clock, logger, asked, start } = await kept({ directory, failures: [limited] });

  await start();
  await clock.advance(retryAfterMs - 1);
  expect(asked).toHaveLength(1);
  await clock.advance(1);

  await expect.poll(() => asked).toHaveLength(2);
  expect(logger.messages("warn")).toEqual([
    "TLS certificate could not be renewed, and stays in use",
  ]);
});

it("uses one that it cannot store, and asks for no other", async () => {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, host));
  const { clock, logger, asked, served, start } = await kept({ directory });

  await start();
  await clock.advance(50 * dayMs);

  expect(served).toHaveLength(1);
  expect(asked).toHaveLength(1);
  expect(logger.messages("error")).toEqual(["TLS certificate is in use, and could not be stored"]);
});

it("does not ask without end where the clock is years ahead", async () => {
  const { asked, start } = await kept({ from: new Date("2020-01-01T00:00:00Z") });

  await start();

  expect(asked).toHaveLength(1);
});

it("looks every day whether one is due, as the clock may have been years behind", async () => {
  const directory = await temporaryDirectory();
  const { key, cert } = valid(new Date("2026-01-01T00:00:00Z"), 900);
  await writeFile(join(directory, host), key + cert);
  const { clock, asked, start } = await kept({ directory });
  const slept: number[] = [];
  const sleep = clock.sleep.bind(clock);
  clock.sleep = (ms, call) => {
    slept.push(ms);
    return sleep(ms, call);
  };

  await start();
  await clock.advance(dayMs);
  await clock.advance(dayMs);

  expect(slept).toEqual([dayMs, dayMs, dayMs]);
  expect(asked).toEqual([]);
});

it("makes the key of the account once", async () => {
  const directory = join(await temporaryDirectory(), "a", "b");
  const key = await (await openCertificateStore(directory)).accountKey();

  expect(await (await openCertificateStore(directory)).accountKey()).toBe(key);
  expect((await stat(join(directory, "acme_account+key"))).mode & 0o777).toBe(0o600);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
});

it("says that a file is no directory", async () => {
  const file = join(await temporaryDirectory(), "cache");
  await writeFile(file, "");

  await expect(openCertificateStore(file)).rejects.toThrow(`${file} cannot be used: it is a file`);
});

interface KeptFake {
  directory?: string;
  failures?: Error[];
  /** From when the certificates that are issued are good; otherwise from now. */
  from?: Date;
}

async function kept({ directory, failures = [], from }: KeptFake = {}) {
  const clock = new FakeClock(new Date("2026-01-01T00:00:00Z"));
  const logger = new FakeLogger();
  const [asked, served]: [string[], string[]] = [[], []];
  const certificates = await keepCertificates({
    ...{ hosts: [host], clock, logger },
    store: await openCertificateStore(directory ?? (await temporaryDirectory())),
    serve: (_host, { cert }) => void served.push(cert),
    authority: {
      async issue(name) {
        asked.push(name);
        const failure = failures.shift();
        if (failure) throw failure;
        return valid(from ?? clock.now(), 90);
      },
    },
  });
  onTestFinished(() => certificates.stop());
  const start = async () => {
    certificates.start();
    await expect.poll(() => clock.sleeping).toBe(1); // until it is due, or asked again
  };
  return { clock, logger, asked, served, start };
}

const valid = (from: Date, days: number) =>
  issue({ from, to: new Date(from.getTime() + days * dayMs) }).pem;

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-acme-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
