import type { AddressInfo, Server } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { onTestFinished } from "vitest";
import { collect } from "../../base/bytes.ts";

export interface ReceivedMail {
  from: string;
  to: string[];
  username: string | undefined;
  secure: boolean;
  /** As it was sent, with headers and encodings. */
  raw: string;
}

export interface FakeSmtp {
  port: number;
  mails: ReceivedMail[];
  /** The commands are answered by it instead, where it throws or never ends. */
  before: (step: "connect" | "auth" | "rcpt" | "data", value: string) => Promise<void> | void;
}

/** An answer of the server's. */
export function smtpError(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}

/** A mail server on a port of this machine, with one account. */
export async function openFakeSmtp(
  account: { username: string; password: string } | undefined,
  options: SMTPServerOptions = {},
): Promise<FakeSmtp> {
  const asked = (step: Parameters<FakeSmtp["before"]>[0], value = "") =>
    Promise.resolve().then(() => smtp.before(step, value));
  const server = new SMTPServer({
    authOptional: account === undefined,
    disabledCommands: ["STARTTLS", ...(account ? [] : ["AUTH"])],
    allowInsecureAuth: true,
    disableReverseLookup: true,
    logger: false,
    ...options,
    onConnect: (_session, done) => void asked("connect").then(() => done(), done),
    onAuth: ({ username, password }, _session, done) =>
      void asked("auth", String(password)).then(() => {
        const known = username === account?.username && password === account?.password;
        if (known) done(null, { user: username });
        else done(smtpError(535, `5.7.8 no account has the password ${password}`));
      }, done),
    onRcptTo: ({ address }, _session, done) => void asked("rcpt", address).then(() => done(), done),
    async onData(stream, { envelope, user, secure }, done) {
      const raw = (await collect(stream, 1024 * 1024)).toString();
      const to = envelope.rcptTo.map(({ address }) => address);
      const from = envelope.mailFrom ? envelope.mailFrom.address : "";
      await asked("data").then(() => {
        smtp.mails.push({ from, to, username: user as string | undefined, secure, raw });
        done();
      }, done);
    },
  });
  const smtp: FakeSmtp = { port: await listening(server), mails: [], before: () => {} };
  return smtp;
}

/** Listens for the length of one test. */
async function listening(server: SMTPServer): Promise<number> {
  server.on("error", () => {}); // clients that break off are part of the tests
  const socket = await new Promise<Server>((resolve) => {
    const opened = server.listen(0, "127.0.0.1", () => resolve(opened));
  });
  onTestFinished(() => {
    for (const connection of server.connections) connection._socket.destroy();
    server.close();
  });
  return (socket.address() as AddressInfo).port;
}

/** The headers of a mail by lower-case name, unfolded, with encoded words (RFC 2047) read. */
export function headersOf({ raw }: ReceivedMail): Record<string, string> {
  const [head = ""] = raw.split("\r\n\r\n", 1);
  const lines = head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  return Object.fromEntries(
    lines.map((line) => {
      const [name = "", ...rest] = line.split(":");
      return [name.toLowerCase(), decodedWords(rest.join(":").trim())];
    }),
  );
}

/** The text of a mail that has one part. */
export function textOf(mail: ReceivedMail): string {
  const body = mail.raw.slice(mail.raw.indexOf("\r\n\r\n") + 4);
  const encoding = headersOf(mail)["content-transfer-encoding"];
  if (encoding === "base64") return Buffer.from(body, "base64").toString();
  return encoding === "quoted-printable" ? unquoted(body.replace(/=\r\n/g, "")) : body;
}

function decodedWords(text: string): string {
  return text
    .replace(/\?=\s+=\?/g, "?==?")
    .replace(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_word, form: string, value: string) =>
      form.toLowerCase() === "b"
        ? Buffer.from(value, "base64").toString()
        : unquoted(value.replaceAll("_", " ")),
    );
}

function unquoted(text: string): string {
  const bytes = text.replace(/=([\dA-F]{2})/gi, (_match, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1").toString();
}
