import { type Agent, type IncomingHttpHeaders, request } from "node:http";

export interface ExchangeOptions {
  agent: Agent;
  /** What the answer must be, or the measurement means nothing. */
  status: number;
  method?: string;
  body?: Uint8Array;
  headers?: Record<string, string>;
}

/** One request, its answer read to the end and thrown away. */
export function exchange(
  url: string,
  { agent, status, method = "GET", body, headers = {} }: ExchangeOptions,
): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    const length = method === "GET" ? {} : { "content-length": String(body?.length ?? 0) };
    const sent = request(url, { agent, method, headers: { ...headers, ...length } });
    sent.on("error", reject);
    sent.on("response", (response) => {
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === status) resolve(response.headers);
        else reject(new Error(`${method} ${url} answered ${response.statusCode}`));
      });
      response.resume();
    });
    sent.end(body);
  });
}
