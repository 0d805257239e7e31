import { setMaxListeners } from "node:events";
import { isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { HttpError } from "../../base/http-error.ts";
import type { Logger } from "../../base/logger.ts";
import { backoffMs } from "../../base/retry.ts";
import { openTurns } from "../../base/turns.ts";
import { AcmeError } from "./acme-exchange.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { type CertificateStore, certificateIn, type HostCertificate } from "./certificate-store.ts";

export interface KeptOptions {
  hosts: readonly string[];
  store: CertificateStore;
  authority: CertificateAuthority;
  /** Has a certificate served from now on. */
  serve(host: string, certificate: HostCertificate): void;
  clock: Clock;
  logger: Logger;
}

export interface KeptCertificates {
  /** Begins to ask for what is missing or due: the listener must be there to be validated on. */
  start(): void;
  stop(): Promise<void>;
}

/** An authority that is down costs it nothing to be asked again soon. */
const whileUnreachable = { firstMs: 10_000, maximumMs: 600_000 };
/** Let's Encrypt takes five failures of a host within an hour. */
const whileRefused = { firstMs: 600_000, maximumMs: 6 * 3_600_000 };

/**
 * Serves a certificate for each host: the stored one from the start, and a new one before a third of
 * its life is left. An authority that fails is asked again, ever later; what there is stays in use.
 */
export async function keepCertificates(options: KeptOptions): Promise<KeptCertificates> {
  const { hosts, store, authority, serve, clock, logger } = options;
  const ending = new AbortController();
  setMaxListeners(0, ending.signal);
  const inTurn = openTurns();
  const held = new Map<string, HostCertificate>();
  for (const host of hosts) await restore(host);
  let loops: Promise<void>[] = [];

  return {
    start() {
      loops = hosts.map((host) => keep(host).catch(() => {})); // only ever the end
    },
    async stop() {
      ending.abort();
      await Promise.all(loops);
    },
  };

  async function restore(host: string): Promise<void> {
    try {
      const certificate = await store.read(host);
      if (certificate === undefined) return;
      use(host, certificate);
      const fields = { host, validUntil: certificate.validUntil.toISOString() };
      if (certificate.validUntil > clock.now()) logger.info("TLS certificate is in use", fields);
      else logger.warn("TLS certificate has expired, and another is asked for", fields);
    } catch (error) {
      logger.warn("a stored TLS certificate is not used, and another is asked for", {
        host,
        error,
      });
    }
  }

  function use(host: string, certificate: HostCertificate): void {
    held.set(host, certificate);
    serve(host, certificate);
  }

  async function keep(host: string): Promise<void> {
    const known = held.get(host);
    if (known) await untilDue(known);
    for (let failures = 0; ; ) {
      try {
        const certificate = await inTurn(() => obtain(host));
        failures = 0;
        const leastMs = lifeOf(certificate) / 3; // a clock that is wrong must not ask without end
        await clock.sleep(leastMs, ending);
        await untilDue(certificate);
      } catch (error) {
        ending.signal.throwIfAborted();
        if (isEchoOf(ending.signal, error)) throw error;
        failures++;
        await wait(host, failures, error);
      }
    }
  }

  /** Day by day: the clock may have been wrong when it was asked how long that takes. */
  async function untilDue(certificate: HostCertificate): Promise<void> {
    const dueMs = dueMsOf(certificate);
    for (;;) {
      const waitMs = dueMs - clock.now().getTime();
      if (waitMs <= 0) return;
      await clock.sleep(Math.min(waitMs, dayMs), ending);
    }
  }

  async function obtain(host: string): Promise<HostCertificate> {
    ending.signal.throwIfAborted();
    const isFirst = !held.has(host);
    if (isFirst) logger.info("a TLS certificate is asked for", { host });
    const { key, cert } = await authority.issue(host, ending);
    const certificate = certificateIn(`${key}${cert}`, host, "from the authority");
    use(host, certificate);
    const message = isFirst ? "TLS certificate was obtained" : "TLS certificate was renewed";
    logger.info(message, { host, validUntil: certificate.validUntil.toISOString() });
    await stored(host, certificate);
    return certificate;
  }

  /** One that cannot be stored is no reason to ask for another: authorities give out few a week. */
  async function stored(host: string, certificate: HostCertificate): Promise<void> {
    try {
      await store.write(host, certificate);
    } catch (error) {
      logger.error("TLS certificate is in use, and could not be stored", {
        ...{ host, error, hint: "make room; after a restart another one is asked for" },
      });
    }
  }

  async function wait(host: string, failures: number, error: unknown): Promise<void> {
    const isDown =
      error instanceof HttpError || (error instanceof AcmeError && error.code === "UNAVAILABLE");
    const ownMs = backoffMs(isDown ? whileUnreachable : whileRefused, failures);
    const askedMs = error instanceof AcmeError ? (error.retryAfterMs ?? 0) : 0;
    const waitMs = Math.max(ownMs, askedMs);
    const nextAttempt = new Date(clock.now().getTime() + waitMs).toISOString();
    const validUntil = held.get(host)?.validUntil;
    const fields = { host, ...(validUntil && { validUntil: validUntil.toISOString() }) };
    logger.warn(consequence(validUntil), { ...fields, nextAttempt, error });
    await clock.sleep(waitMs, ending);
  }

  /** What it means that none was issued. */
  function consequence(validUntil: Date | undefined): string {
    if (validUntil === undefined) {
      return "there is no TLS certificate yet: clients of this host are turned away";
    }
    return validUntil > clock.now()
      ? "TLS certificate could not be renewed, and stays in use"
      : "TLS certificate has expired, and could not be renewed";
  }
}

const dayMs = 86_400_000;

const lifeOf = ({ validFrom, validUntil }: HostCertificate): number =>
  validUntil.getTime() - validFrom.getTime();

/** Before a third is left, and not for all that began together at once. */
function dueMsOf(certificate: HostCertificate): number {
  return certificate.validUntil.getTime() - lifeOf(certificate) * (1 / 3 + Math.random() / 20);
}
