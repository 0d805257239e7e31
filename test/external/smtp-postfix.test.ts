import { chmod } from "node:fs/promises";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openNotifiers } from "../../src/agent/notifiers/index.ts";
import { headersOf, textOf } from "../../src/agent/notifiers/smtp.fake.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { FakeLogger } from "../../src/base/logger.fake.ts";
import { describeWith } from "../component.ts";
import { type Authority, openAuthority } from "./certificates.ts";
import { type Postfix, startPostfix } from "./postfix.ts";

describe.skipIf(process.getuid?.() !== 0)("as root", () => {
  describeWith("postfix", "openssl")("notices by way of Postfix", () => {
    let authority: Authority;
    let postfix: Postfix;
    beforeAll(async () => {
      authority = await openAuthority();
      await chmod(dirname(authority.ca.cert), 0o755);
      postfix = await startPostfix(await authority.issue("mail"));
    }, 60_000);
    afterAll(async () => {
      await postfix?.stop();
      await authority?.close();
    });

    it("arrive by STARTTLS, by TLS from the start, and without", async () => {
      const ca = authority.ca.cert;
      const { starttls, implicit, plain } = postfix.ports;
      const common = "from=dewy@x.test&subject=デプロイ通知";
      const urls = [
        `mail://localhost:${starttls}/b@y.test?${common}&ca=${ca}`,
        `smtp://127.0.0.1:${implicit}/b@y.test?${common}&ca=${ca}&tls=implicit`,
        `mail://127.0.0.1:${plain}/b@y.test?${common}&tls=false`,
      ];

      const { logger, close, observe } = await opened(urls);
      observe({ type: "app started", reason: "boot", tag: "v1.2.3", pid: 1 });
      await expect.poll(async () => (await postfix.delivered("b")).length, waiting).toBe(6);
      await close();

      const mails = (await postfix.delivered("b")).map(received);
      const told = mails.map((mail) => textOf(mail)).toSorted();
      for (const mail of mails) {
        expect(headersOf(mail)).toMatchObject({ from: "dewy@x.test", subject: "デプロイ通知" });
      }
      expect(told.map((text) => text.split("\r\n")[0])).toEqual([
        ...Array(3).fill("Automatic shipping started by *Dewy* (v0.1.0: server)"),
        ...Array(3).fill("Server started for `v1.2.3` without port"),
      ]);
      const protocols = mails.map(({ raw }) => / with (E?SMTPS?)/.exec(raw)?.[1]).toSorted();
      expect(protocols).toEqual([...Array(2).fill("ESMTP"), ...Array(4).fill("ESMTPS")]);
      expect(logger.messages("error")).toEqual([]);
    });

    it("are not sent in the open to a server that wants TLS, and the log says why", async () => {
      const url = `mail://127.0.0.1:${postfix.ports.starttls}/a@y.test?from=a@x.test&tls=false`;

      const { logger, close, observe } = await opened([url]);
      observe({ type: "app started", reason: "boot", tag: "v1.2.3", pid: 1 });
      await expect.poll(() => logger.messages("error"), waiting).toContain("notice failed");
      await close();

      expect(String(logger.lines[0]?.fields.error)).toMatch(/530 5.7.0 Must issue a STARTTLS/);
      expect(await postfix.delivered("a")).toEqual([]);
    });

    it("are not sent by STARTTLS to a server that has none", async () => {
      const url = `mail://127.0.0.1:${postfix.ports.plain}/c@y.test?from=a@x.test`;

      const { logger, close, observe } = await opened([url]);
      observe({ type: "app started", reason: "boot", tag: "v1.2.3", pid: 1 });
      await expect.poll(() => logger.messages("error"), waiting).toContain("notice failed");
      await close();

      expect(String(logger.lines[0]?.fields.error)).toContain("does not offer STARTTLS");
      expect(await postfix.delivered("c")).toEqual([]);
    });

    it("name a recipient that there is not", async () => {
      const url = `mail://127.0.0.1:${postfix.ports.plain}/gone@y.test?from=a@x.test&tls=no`;

      const { logger, close, observe } = await opened([url]);
      observe({ type: "app started", reason: "boot", tag: "v1.2.3", pid: 1 });
      await expect.poll(() => logger.messages("error"), waiting).toContain("notice failed");
      await close();

      expect(String(logger.lines[0]?.fields.error)).toMatch(/550 5.1.1 <gone@y.test>/);
    });
  });
});

const waiting = { timeout: 15_000, interval: 50 };

async function opened(urls: readonly string[]) {
  const logger = new FakeLogger();
  const http = openHttpClient({ userAgent: "dewy/test" });
  const notifiers = await openNotifiers(urls, {
    ...{ http, logger, clock: systemClock, environment: {}, directory: "/srv/shop" },
    identity: { app: "shop", host: "web-1", mode: "server" },
  });
  notifiers.observe({ type: "started", version: "0.1.0", registry: "ghr://a/b", ports: [] });
  const { observe } = notifiers;
  return { logger, observe, close: () => notifiers.close(new AbortController()) };
}

/** A mail from the disk, with line ends as it was sent. */
function received(text: string) {
  const raw = text.replaceAll("\n", "\r\n");
  return { raw, from: "", to: [], username: undefined, secure: false };
}
