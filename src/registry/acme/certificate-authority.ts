import { AsyncLocalStorage } from "node:async_hooks";
import type { Authorization, Client, Order } from "acme-client";
import { type Call, withTimeout } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { HttpClient } from "../../base/http-client.ts";
import {
  type AcmeAnswer,
  AcmeError,
  type AcmeRequest,
  askAuthority,
  sentenceOf,
} from "./acme-exchange.ts";
import { newKey } from "./certificate-store.ts";
import type { Challenges, KeyPair } from "./challenges.ts";

export interface CertificateAuthority {
  /**
   * A new certificate for `host`, with a new key: the account is made if there is none.
   *
   * @throws {AcmeError} when it refuses, {HttpError} when it cannot be reached
   */
  issue(host: string, call: Call): Promise<KeyPair>;
}

export interface AuthorityOptions {
  directoryUrl: string;
  /** Empty for none. */
  email: string;
  accountKey(): Promise<string>;
  challenges: Challenges;
  http: HttpClient;
  clock: Clock;
}

type Send = (request: AcmeRequest) => Promise<AcmeAnswer>;
type Library = Awaited<ReturnType<typeof loadLibrary>>;

const issueTimeoutMs = 300_000;
const slowestLookMs = 10_000;

/** The library has one way out for everybody; this says whose request it is. */
const sender = new AsyncLocalStorage<Send>();

/** A certificate authority that speaks ACME (RFC 8555), as Let's Encrypt does. */
export function openCertificateAuthority(options: AuthorityOptions): CertificateAuthority {
  return {
    issue: (host, call) =>
      withTimeout(`the certificate for ${host}`, issueTimeoutMs, call, (limited) =>
        sender.run(
          (request) => askAuthority(request, options, limited),
          () => issueFor(host, options, limited),
        ),
      ),
  };
}

async function loadLibrary() {
  const library = await import("acme-client");
  library.axios.defaults.adapter = async (config) => {
    const { method = "get", url = "", data: body } = config;
    const send = sender.getStore();
    if (send === undefined) throw new Error("a request of nobody");
    const { status, headers, text } = await send({ method: method.toUpperCase(), url, body });
    return { status, statusText: "", headers: { ...headers }, data: text, config };
  };
  return library;
}

async function issueFor(host: string, options: AuthorityOptions, call: Call): Promise<KeyPair> {
  const library = await loadLibrary();
  const { directoryUrl, email, accountKey, clock } = options;
  const client = new library.Client({ directoryUrl, accountKey: await accountKey() });
  const contact = email === "" ? {} : { contact: [`mailto:${email}`] };
  await client.createAccount({ termsOfServiceAgreed: true, ...contact });
  const order = await client.createOrder({ identifiers: [{ type: "dns", value: host }] });
  const work = { library, client, clock, host, call };
  const withdrawals: (() => void)[] = [];
  try {
    for (const authorization of await client.getAuthorizations(order)) {
      if (authorization.status === "valid") continue;
      withdrawals.push(await challenged(authorization, options.challenges, work));
    }
    await settled(order, work);
  } finally {
    for (const withdraw of withdrawals) withdraw();
  }
  const key = newKey();
  const [, request] = await library.crypto.createCsr({ commonName: host, altNames: [host] }, key);
  const finalized = await settled(await client.finalizeOrder(order, request), work, ["valid"]);
  return { key, cert: await client.getCertificate(finalized) };
}

interface Work {
  library: Library;
  client: Client;
  clock: Clock;
  host: string;
  call: Call;
}

/** Has the authority validate that the name is ours. */
async function challenged(
  authorization: Authorization,
  challenges: Challenges,
  { library, client, host }: Work,
): Promise<() => void> {
  const challenge = authorization.challenges.find(({ type }) => String(type) === "tls-alpn-01");
  if (challenge === undefined) {
    throw new AcmeError("REFUSED", `the authority does not validate ${host} by tls-alpn-01`, {
      hint: "ask one that does, by http.tls.letsencrypt.directoryurl",
    });
  }
  const proof = await client.getChallengeKeyAuthorization(challenge);
  const [key, cert] = await library.crypto.createAlpnCertificate(authorization, proof, newKey());
  const withdraw = challenges.offer(host, { key: String(key), cert: String(cert) });
  try {
    await client.completeChallenge(challenge);
    return withdraw;
  } catch (error) {
    withdraw();
    throw error;
  }
}

/** The order, when it is as far as one of `wanted`. @throws {AcmeError} when it never will be */
async function settled(
  order: Order,
  work: Work,
  wanted: readonly Order["status"][] = ["ready", "valid"],
): Promise<Order> {
  const { client, clock, call } = work;
  let current = order;
  for (let looks = 0; !wanted.includes(current.status); looks++) {
    if (current.status === "invalid") throw await failureOf(current, work);
    await clock.sleep(Math.min(slowestLookMs, 250 * 2 ** looks), call);
    current = await client.getOrder(current);
  }
  return current;
}

async function failureOf(order: Order, { client, host }: Work): Promise<AcmeError> {
  const authorizations = await client.getAuthorizations(order);
  const failed = authorizations.flatMap(({ challenges }) => challenges).find(({ error }) => error);
  if (failed?.error === undefined) {
    const reason = order.error ? sentenceOf(order.error) : "it has expired";
    return new AcmeError("REFUSED", `the authority gave up the order for ${host}: ${reason}`);
  }
  return new AcmeError(
    "NOT_VALIDATED",
    `the authority could not validate ${host}: ${sentenceOf(failed.error)}`,
    { hint: `see that port 443 of ${host} leads here from outside, with TLS untouched` },
  );
}
