import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { collect, streamOf } from "./bytes.ts";
import { type HttpClientOptions, openHttpClient } from "./http-client.ts";
import { bodyOf, serve } from "./local-server.fake.ts";
import { Secret } from "./secret.ts";

describe("an HTTP client", () => {
  it("sends method, headers and body, and gives back status, headers and body", async ({
    signal,
  }) => {
    const { url } = await serve(async (request, response) => {
      const { method, headers } = request;
      const body = (await bodyOf(request)).toString();
      response.writeHead(418, {
        "x-agent": headers["user-agent"],
        "x-length": headers["content-length"],
      });
      response.end(`${method} ${body}`);
    });

    const answer = await open().request({ method: "PUT", url, body: "tea" }, { signal });

    expect(answer).toMatchObject({
      status: 418,
      headers: { "x-agent": "dewy/test", "x-length": "3" },
    });
    expect(await text(answer.body)).toBe("PUT tea");
  });

  it("streams a body of unknown length", async ({ signal }) => {
    const { url } = await serve(async (request, response) => {
      response.end(String((await bodyOf(request)).length));
    });

    const body = streamOf(Buffer.alloc(300_000));
    const answer = await open().request({ method: "POST", url, body }, { signal });

    expect(await text(answer.body)).toBe("300000");
  });

  it("keeps a connection for the next request", async ({ signal }) => {
    const ports = new Set<number | undefined>();
    const { url } = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end("ok");
    });
    const client = open();

    for (let count = 0; count < 3; count++) {
      await text((await client.request({ url }, { signal })).body);
      await new Promise((resolve) => setImmediate(resolve));
    }

    expect(ports.size).toBe(1);
  });

  it("tries again when the server had closed an idle connection", async ({ signal }) => {
    let requests = 0;
    const server = createServer((socket) => {
      socket.on("error", () => {});
      let served = false;
      socket.on("data", () => {
        requests++;
        if (served) socket.resetAndDestroy();
        else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        served = true;
      });
    });
    const url = await listen(server);
    const client = open();
    await text((await client.request({ url }, { signal })).body);
    await new Promise((resolve) => setImmediate(resolve));

    const again = await client.request({ url }, { signal });

    expect(await text(again.body)).toBe("ok");
    expect(requests).toBe(3);
  });

  it("keeps credentials to their origin when it is redirected to another", async ({ signal }) => {
    const seen: Record<string, unknown>[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers);
      response.end("stored");
    });
    const { url } = await serve((request, response) => {
      seen.push(request.headers);
      response.writeHead(302, { location: new URL("/blob", other.url).href }).end();
    });
    const headers = {
      authorization: new Secret("Bearer t"),
      "x-key": new Secret("k"),
      cookie: "c",
      accept: "a/b",
    };

    const answer = await open().request({ url, headers }, { signal });

    expect(await text(answer.body)).toBe("stored");
    expect(answer.url.href).toBe(new URL("/blob", other.url).href);
    expect(seen[0]).toMatchObject({ authorization: "Bearer t", "x-key": "k", cookie: "c" });
    expect(seen[1]).toMatchObject({ accept: "a/b" });
    for (const name of ["authorization", "x-key", "cookie"])
      expect(seen[1]).not.toHaveProperty(name);
  });

  it("keeps credentials on a redirect within the origin", async ({ signal }) => {
    const { url } = await serve((request, response) => {
      if (request.url === "/") response.writeHead(307, { location: "/there" }).end();
      else response.end(request.headers.authorization);
    });

    const headers = { authorization: new Secret("Bearer t") };
    const answer = await open().request({ url, headers }, { signal });

    expect(await text(answer.body)).toBe("Bearer t");
  });

  it("hands over a redirect when told to", async ({ signal }) => {
    const { url } = await serve((_request, response) => {
      response.writeHead(302, { location: "/there" }).end();
    });

    const answer = await open().request({ url, redirect: "manual" }, { signal });
    answer.discard();

    expect(answer).toMatchObject({ status: 302, headers: { location: "/there" } });
  });

  it("gives up after ten redirects", async ({ signal }) => {
    let count = 0;
    const { url } = await serve((_request, response) => {
      count++;
      response.writeHead(302, { location: "/" }).end();
    });

    await expect(open().request({ url }, { signal })).rejects.toMatchObject({
      code: "BAD_REDIRECT",
    });
    expect(count).toBe(11);
  });

  it("names the host that refuses the connection, and says what to do", async ({ signal }) => {
    const server = createServer();
    const url = await listen(server);
    await new Promise((resolve) => server.close(resolve));

    await expect(open().request({ url }, { signal })).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: `cannot reach ${url.host}: nothing listens there`,
      hint: "check the host and the port",
    });
  });

  it("gives up on a server that accepts and never answers", async ({ signal }) => {
    const { url } = await serve(() => {});

    const answer = open().request({ url, timeouts: { responseMs: 50 } }, { signal });

    await expect(answer).rejects.toMatchObject({
      code: "TIMEOUT",
      message: `${url.host} did not answer within 0.05 s`,
    });
  });

  it("gives up on a server that stops in the middle", async ({ signal }) => {
    const { url } = await serve((_request, response) => void response.write("half"));

    const answer = await open().request({ url, timeouts: { idleMs: 50 } }, { signal });

    await expect(text(answer.body)).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  it("does not take a broken answer for a whole one", async ({ signal }) => {
    const { url } = await serve((_request, response) => {
      response.writeHead(200, { "content-length": 100 }).write("half", () => response.destroy());
    });

    const answer = await open().request({ url }, { signal });

    await expect(text(answer.body)).rejects.toMatchObject({ code: "INTERRUPTED" });
  });

  it("ends at once when it is told to, before and after the head of the answer", async () => {
    const stop = new AbortController();
    const { url } = await serve((request, response) => {
      if (request.url === "/body") response.write("half");
      else setImmediate(() => stop.abort(new Error("told to")));
    });
    const client = open();
    const { body } = await client.request({ url: new URL("/body", url) }, stop);

    await expect(client.request({ url }, stop)).rejects.toThrow("told to");
    await expect(text(body)).rejects.toThrow("told to");
    await expect(client.request({ url }, stop)).rejects.toThrow("told to");
  });

  it("asks a proxy for plain http in absolute form", async ({ signal }) => {
    const proxy = await serve((request, response) => {
      response.end(
        `${request.url} ${request.headers.host} ${request.headers["proxy-authorization"]}`,
      );
    });
    proxy.url.username = "user";
    proxy.url.password = "word";
    const client = open({ environment: { http_proxy: proxy.url.href } });

    const answer = await client.request({ url: "http://app.test/path?q=1" }, { signal });

    const credentials = Buffer.from("user:word").toString("base64");
    expect(await text(answer.body)).toBe(`http://app.test/path?q=1 app.test Basic ${credentials}`);
  });

  it("tunnels https through a proxy, and says when that refuses", async ({ signal }) => {
    const asked: (string | undefined)[] = [];
    const proxy = await serve(() => {});
    proxy.server.on("connect", (request, socket) => {
      asked.push(request.url);
      socket.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    });
    const client = open({ environment: { HTTPS_PROXY: proxy.url.href } });

    await expect(client.request({ url: "https://app.test/" }, { signal })).rejects.toMatchObject({
      message: "cannot reach app.test: the proxy refuses to connect to it (502)",
    });
    expect(asked).toEqual(["app.test:443"]);
  });

  it.each(["ftp://host/", "nonsense", "file:///etc/passwd"])("refuses %s", async (url) => {
    const { signal } = new AbortController();
    await expect(open().request({ url }, { signal })).rejects.toMatchObject({ code: "BAD_URL" });
  });
});

function open(options: Partial<HttpClientOptions> = {}) {
  const client = openHttpClient({ userAgent: "dewy/test", ...options });
  onTestFinished(() => client.close());
  return client;
}

async function listen(server: ReturnType<typeof createServer>): Promise<URL> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  return new URL(`http://127.0.0.1:${address.port}/`);
}

const text = async (bytes: Parameters<typeof collect>[0]) => (await collect(bytes, 1e6)).toString();
