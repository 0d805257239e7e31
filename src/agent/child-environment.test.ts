import { expect, it } from "vitest";
import { childEnvironment } from "./child-environment.ts";

const environment = {
  PATH: "/bin",
  DATABASE_URL: "postgres://app:own@db/app",
  APP_TOKEN: "own",
  AWS_REGION: "ap-northeast-1",
  GITHUB_TOKEN: "agent",
  GITHUB_APP_PRIVATE_KEY: "agent",
  SLACK_TOKEN: "agent",
  AWS_SECRET_ACCESS_KEY: "agent",
  MAIL_PASSWORD: "agent",
  DEWY_NOTIFIER: "mail://host/to?password=agent",
  OTEL_EXPORTER_OTLP_HEADERS: "authorization=agent",
  NOTIFY_SOCKET: "/run/systemd/notify",
};

it("passes on the whole environment, with the name of the app", () => {
  const { NOTIFY_SOCKET, ...all } = environment;

  expect(childEnvironment(environment, { app: "web", scrub: false })).toEqual({
    ...all,
    DEWY_APP: "web",
  });
});

it("keeps the agent's own secrets from children, and nothing else", () => {
  expect(childEnvironment(environment, { app: "web", scrub: true })).toEqual({
    PATH: "/bin",
    DATABASE_URL: "postgres://app:own@db/app",
    APP_TOKEN: "own",
    AWS_REGION: "ap-northeast-1",
    DEWY_APP: "web",
  });
});

it("never passes on the socket by which systemd is told how the agent is", () => {
  const child = childEnvironment(
    { NOTIFY_SOCKET: "/run/n", WATCHDOG_USEC: "1" },
    {
      app: "web",
      scrub: false,
    },
  );

  expect(child).toEqual({ DEWY_APP: "web" });
});
