import { once } from "node:events";
import type { NodemailerError } from "nodemailer/lib/errors";
import type SMTPConnection from "nodemailer/lib/smtp-connection";
import type { Call } from "../../base/call.ts";
import { settlesWithin, systemClock } from "../../base/clock.ts";
import { Secret } from "../../base/secret.ts";
import { isLoopback } from "../../oci/reference.ts";
import type { MailAddress } from "./mail-address.ts";
import type { MailCredentials } from "./mail-credentials.ts";
import { mailFailure } from "./mail-failure.ts";
import type { MailText } from "./mail-message.ts";
import type { MailRoute } from "./mail-route.ts";
import { failure } from "./notifier-failure.ts";

export interface Mail extends MailText {
  from: MailAddress;
  to: readonly MailAddress[];
  date: Date;
}

export interface MailTransport {
  route: MailRoute;
  credentials: MailCredentials | undefined;
  /** PEM, of the authorities to trust instead of the system's. */
  ca: Buffer | undefined;
}

interface Login {
  user: string;
  pass: string;
}

const silenceMs = 10_000;
const goodbyeMs = 1_000;

/**
 * Hands one mail in over a connection of its own (RFC 5321, RFC 3207, RFC 4954).
 *
 * @throws {NotifierError}, or the reason of the signal
 */
export async function sendMail(transport: MailTransport, mail: Mail, call: Call): Promise<void> {
  const { route, credentials } = transport;
  const password = await credentials?.password();
  const login = credentials && password && { user: credentials.username, pass: password.reveal() };
  const { envelope, bytes } = await composed(mail);
  const connection = await newConnection(transport);
  // Stays, as errors may come after the one that counts; for `once` gives up its own at the first.
  connection.on("error", () => {});
  const stop = () => connection.close();
  call.signal.throwIfAborted();
  call.signal.addEventListener("abort", stop, { once: true });
  try {
    await converse(connection, { login, envelope, bytes, route });
    await sayGoodbye(connection);
  } catch (error) {
    call.signal.throwIfAborted();
    if (!isOfNodemailer(error)) throw error;
    throw mailFailure(error, route, secretsIn(login));
  } finally {
    call.signal.removeEventListener("abort", stop);
    connection.close();
  }
}

/** Loaded when there is something to send: it takes 14 MB of memory. */
async function composed({ from, to, subject, text, date }: Mail) {
  const { default: MailComposer } = await import("nodemailer/lib/mail-composer");
  const message = new MailComposer({
    ...{ from, to: [...to], subject, text, date },
    headers: { "Auto-Submitted": "auto-generated" }, // RFC 3834: nobody's holiday is told to us
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile();
  return { envelope: message.getEnvelope(), bytes: await message.build() };
}

async function newConnection({ route, ca }: MailTransport): Promise<SMTPConnection> {
  const { default: Connection } = await import("nodemailer/lib/smtp-connection");
  const { host, port, security, server } = route;
  return new Connection({
    ...{ host, port },
    secure: security === "implicit",
    requireTLS: security === "starttls",
    ignoreTLS: security === "none",
    connectionTimeout: silenceMs,
    greetingTimeout: silenceMs,
    socketTimeout: silenceMs,
    dnsTimeout: silenceMs,
    socketCloseTimeout: 0,
    allowInternalNetworkInterfaces: isLoopback(server),
    tls: { minVersion: "TLSv1.2", ...(ca && { ca }) },
    logger: false,
  });
}

interface Conversation {
  login: Login | undefined;
  envelope: { from: string | false; to: string[] };
  bytes: Buffer;
  route: MailRoute;
}

/** Rejects also when the connection ends in the middle. */
async function converse(connection: SMTPConnection, parts: Conversation): Promise<void> {
  const { login, envelope, bytes, route } = parts;
  const step = <Result>(begin: (done: (error?: unknown, result?: Result) => void) => void) =>
    new Promise<Result | undefined>((resolve, reject) => {
      connection.once("error", reject);
      connection.once("end", () => reject(connectionEnded()));
      begin((error, result) => (error ? reject(error) : resolve(result)));
    });

  await step((done) => connection.connect(done));
  if (login) {
    if (!connection.allowsAuth) throw withoutLogin(route);
    await step((done) => connection.login(login, done));
  }
  const sent = await step<{ rejectedErrors?: NodemailerError[] | undefined }>((done) =>
    connection.send(envelope, bytes, done),
  );
  const [rejected] = sent?.rejectedErrors ?? [];
  if (rejected) throw refusedForSome(rejected, parts);
}

/** Others have got it, and would get it twice if it were tried again. */
function refusedForSome(rejected: NodemailerError, { login, route }: Conversation): Error {
  const { message } = mailFailure(rejected, route, secretsIn(login));
  return failure("REFUSED", `not everybody gets the mail: ${message}`, {
    hint: "check the recipients in --notifier",
  });
}

function withoutLogin({ server, security }: MailRoute): Error {
  const how = security === "none" ? " without TLS" : "";
  return failure("UNAUTHORIZED", `${server} takes no username and password${how}`, {
    hint: "leave them out, also MAIL_USERNAME and MAIL_PASSWORD, or check port and tls",
  });
}

/** A server that hears nothing calls the connection lost. */
async function sayGoodbye(connection: SMTPConnection): Promise<void> {
  if (connection.destroyed) return;
  const ended = once(connection, "end");
  connection.quit();
  await settlesWithin(ended, goodbyeMs, systemClock);
}

function connectionEnded(): NodemailerError {
  return Object.assign(new Error("it closed the connection"), { code: "ECONNECTION" });
}

function isOfNodemailer(error: unknown): error is NodemailerError {
  return error instanceof Error && "code" in error && /^E[A-Z]+$/.test(String(error.code));
}

/** Also in the forms in which they are sent (RFC 4616, and the LOGIN mechanism). */
function secretsIn(login: Login | undefined): Secret[] {
  if (login === undefined) return [];
  const { user, pass } = login;
  const encoded = [`\0${user}\0${pass}`, pass].map((text) => Buffer.from(text).toString("base64"));
  return [pass, ...encoded].map((text) => new Secret(text));
}
