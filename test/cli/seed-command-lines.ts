/** A command line as its author meant it: what the shell would make of `?` and `&` is left aside. */
export interface SeedLine {
  line: string;
  /** What `...` stands for, and what a fragment of a document leaves out. */
  completedBy?: string;
  means: {
    mode?: "assets";
    registry: string;
    /** What the registry's query comes to. */
    rules?: Record<string, unknown>;
    ports?: number[];
    command?: string[];
    directory?: string;
    notifiers?: string[];
    slot?: string;
    beforeDeployHook?: string;
    afterDeployHook?: string;
    logLevel?: "debug" | "info";
    logFormat?: "json";
  };
}

const app = "-- /opt/myapp/current/myapp";
const command = ["/opt/myapp/current/myapp"];
const ghr = "ghr://linyows/myapp";
const elided = `--registry ${ghr} ${app}`;
const mail = "mail://smtp.gmail.com:587/recipient@example.com";
const mailQuery =
  "username=sender@gmail.com&password=app-password&from=sender@gmail.com&subject=Dewy+Deployment";
const databaseHook = "pg_dump mydb > /backup/$(date +%Y%m%d_%H%M%S).sql";
const mailHook = "echo 'デプロイ完了' | mail -s 'デプロイ成功' admin@example.com";

/** Every invocation of `dewy server` and `dewy assets`, and without a command, in the founding documents. */
export const seedLines: SeedLine[] = [
  { line: `dewy server --registry ${ghr} ${app}`, means: { registry: ghr, command } },
  ...(
    [
      [`"${ghr}?pre-release=true"`, { preRelease: true }],
      [`"${ghr}?artifact=myapp-server.tar.gz"`, { artifact: "myapp-server.tar.gz" }],
      [
        `"${ghr}?pre-release=true&artifact=myapp-server.tar.gz"`,
        { preRelease: true, artifact: "myapp-server.tar.gz" },
      ],
      ["s3://ap-northeast-1/my-releases/myapp", { preRelease: false }],
      ['"s3://jp-north-1/my-bucket/myapp?endpoint=https://s3.isk01.sakurastorage.jp"', {}],
      ['"s3://us-west-2/releases/myapp?pre-release=true"', { preRelease: true }],
      ["gs://my-releases-bucket/myapp", {}],
      ["grpc://registry.example.com:9000", {}],
      ['"grpc://localhost:9000?no-tls=true"', {}],
      ["ghr://myorg/myapp", { preRelease: false }],
      ['"ghr://myorg/myapp?pre-release=true"', { preRelease: true }],
    ] as const
  ).map(
    ([url, rules]): SeedLine => ({
      line: `dewy server --registry ${url}`,
      completedBy: app,
      means: { registry: url.replaceAll('"', ""), rules, command },
    }),
  ),
  {
    // The workflow puts its repository into the URL.
    line: "dewy server --registry ghr://linyows/dewy --log-level info --port 8080 -- /opt/app/current/app",
    means: {
      registry: "ghr://linyows/dewy",
      logLevel: "info",
      ports: [8080],
      command: ["/opt/app/current/app"],
    },
  },
  {
    line: 'dewy server --registry "ghr://myorg/myapp?pre-release=true" --notifier "slack://staging-deploy?title=myapp-staging"',
    completedBy: app,
    means: {
      registry: "ghr://myorg/myapp?pre-release=true",
      rules: { preRelease: true },
      notifiers: ["slack://staging-deploy?title=myapp-staging"],
    },
  },
  {
    line: 'dewy server --registry "ghr://myorg/myapp" --notifier "slack://prod-deploy?title=myapp-prod"',
    completedBy: app,
    means: {
      registry: "ghr://myorg/myapp",
      notifiers: ["slack://prod-deploy?title=myapp-prod"],
    },
  },
  {
    line: "dewy server --registry ghr://owner/repo --log-level debug",
    completedBy: app,
    means: { registry: "ghr://owner/repo", logLevel: "debug" },
  },
  {
    line: `dewy server --registry ${ghr} --notifier slack://general?title=myapp -p 8000 -l info ${app}`,
    means: {
      registry: ghr,
      notifiers: ["slack://general?title=myapp"],
      ports: [8000],
      logLevel: "info",
      command,
    },
  },
  {
    line: "dewy assets --registry ghr://linyows/frontend -d /var/www/html -l info",
    means: {
      mode: "assets",
      registry: "ghr://linyows/frontend",
      directory: "/var/www/html",
      logLevel: "info",
      command: [],
    },
  },
  {
    line: `dewy --registry ${ghr}?pre-release=true&artifact=dewy.tar`,
    completedBy: app,
    means: {
      registry: `${ghr}?pre-release=true&artifact=dewy.tar`,
      rules: { preRelease: true, artifact: "dewy.tar" },
    },
  },
  ...[
    "s3://jp-north-1/dewy/foo/bar/myapp?endpoint=https://s3.isk01.sakurastorage.jp",
    "gs://my-project/dewy-bucket/foo/bar/myapp",
    ghr,
    `${ghr}?pre-release=true`,
  ].map((registry) => ({
    line: `dewy --registry ${registry}`,
    completedBy: app,
    means: { registry, command },
  })),
  {
    line: "dewy grpc://localhost:9000?no-tls=true",
    completedBy: app,
    means: { registry: "grpc://localhost:9000?no-tls=true", command },
  },
  ...["slack://dewy?title=myapp&url=https://dewy.liny.ws", `${mail}?${mailQuery}`, mail].map(
    (notifier) => ({
      line: `dewy --notifier ${notifier}`,
      completedBy: elided,
      means: { registry: ghr, notifiers: [notifier], command },
    }),
  ),
  ...["blue", "green"].map((slot) => ({
    line: `dewy server --registry ${ghr} --slot ${slot} ${app}`,
    means: { registry: ghr, slot, command },
  })),
  {
    line: `dewy server --registry ghr://myapp/api --before-deploy-hook "${databaseHook}" --after-deploy-hook "${mailHook}" ${app}`,
    means: {
      registry: "ghr://myapp/api",
      beforeDeployHook: databaseHook,
      afterDeployHook: mailHook,
      command,
    },
  },
  {
    line: `dewy server --registry ghr://myapp/api --before-deploy-hook "systemctl stop nginx" --after-deploy-hook "systemctl start nginx && systemctl reload nginx" ${app}`,
    means: {
      registry: "ghr://myapp/api",
      beforeDeployHook: "systemctl stop nginx",
      afterDeployHook: "systemctl start nginx && systemctl reload nginx",
      command,
    },
  },
  {
    line: 'dewy assets --registry ghr://myapp/frontend --after-deploy-hook "/opt/myapp/current/migrate-db.sh"',
    means: {
      mode: "assets",
      registry: "ghr://myapp/frontend",
      afterDeployHook: "/opt/myapp/current/migrate-db.sh",
    },
  },
  {
    line: `dewy server --registry ${ghr} --log-format json -l info ${app}`,
    means: { registry: ghr, logFormat: "json", logLevel: "info", command },
  },
  {
    line: `dewy server --registry ${ghr} --log-format text -l info ${app}`,
    means: { registry: ghr, logLevel: "info", command },
  },
  {
    line: `dewy server --registry ${ghr} -p 8000,8001,8002 ${app}`,
    means: { registry: ghr, ports: [8000, 8001, 8002], command },
  },
  {
    line: `dewy server --registry ${ghr} -p 8000-8005 ${app}`,
    means: { registry: ghr, ports: [8000, 8001, 8002, 8003, 8004, 8005], command },
  },
];

/** Every invocation of `dewy container` in them. */
export const containerLines: { line: string; means: ContainerMeaning }[] = [
  {
    line: "dewy container --registry img://ghcr.io/myorg/myapp",
    means: { registry: "img://ghcr.io/myorg/myapp", container: {} },
  },
  {
    line: 'dewy container --registry "img://ghcr.io/myorg/myapp?pre-release=true"',
    means: { registry: "img://ghcr.io/myorg/myapp?pre-release=true", container: {} },
  },
  {
    line: "dewy container --registry img://ghcr.io/myorg/myapp --container-port 8080 --health-path /health",
    means: {
      registry: "img://ghcr.io/myorg/myapp",
      ports: [8080],
      container: { mappings: [{ port: 8080, containerPort: 8080 }] },
    },
  },
  {
    line: "dewy container --registry img://ghcr.io/owner/app",
    means: { registry: "img://ghcr.io/owner/app", container: {} },
  },
  {
    line: "dewy container --registry img://ghcr.io/owner/private-app",
    means: { registry: "img://ghcr.io/owner/private-app", container: {} },
  },
  {
    line: "dewy container --registry img://docker.io/library/nginx",
    means: { registry: "img://docker.io/library/nginx", container: {} },
  },
  {
    line: "dewy container --registry img://docker.io/myuser/myapp",
    means: { registry: "img://docker.io/myuser/myapp", container: {} },
  },
  {
    line: "dewy container --registry img://myuser/myapp",
    means: { registry: "img://myuser/myapp", container: {} },
  },
  {
    line: "dewy container --registry img://gcr.io/my-project/myapp",
    means: { registry: "img://gcr.io/my-project/myapp", container: {} },
  },
  {
    line: "dewy container --registry img://123456789.dkr.ecr.ap-northeast-1.amazonaws.com/myapp",
    means: {
      registry: "img://123456789.dkr.ecr.ap-northeast-1.amazonaws.com/myapp",
      container: {},
    },
  },
  {
    line: "dewy container --registry img://ghcr.io/myorg/myapp --interval 300 --container-port 8080 --health-path /health --health-timeout 30 --drain-time 30 --network production --network-alias myapp-current --log-level info",
    means: {
      registry: "img://ghcr.io/myorg/myapp",
      intervalMs: 300_000,
      drainMs: 30_000,
      container: {
        mappings: [{ port: 8080, containerPort: 8080 }],
        network: "production",
        networkAlias: "myapp-current",
        proxy: "none",
      },
    },
  },
  {
    line: "dewy container --registry img://ghcr.io/myorg/myapp --interval 300 --container-port 8080 --health-path /health --health-timeout 30 --drain-time 30 --log-level info",
    means: {
      registry: "img://ghcr.io/myorg/myapp",
      ports: [8080],
      intervalMs: 300_000,
      drainMs: 30_000,
      container: { mappings: [{ port: 8080, containerPort: 8080 }] },
    },
  },
  {
    line: "dewy container --registry img://ghcr.io/linyows/myapp --container-port 8080 --health-path /health --replicas 3 -l info",
    means: {
      registry: "img://ghcr.io/linyows/myapp",
      ports: [8080],
      container: { mappings: [{ port: 8080, containerPort: 8080 }], replicas: 3 },
    },
  },
  {
    line: "dewy container --registry img://ghcr.io/owner/app --container-port 8080",
    means: {
      registry: "img://ghcr.io/owner/app",
      ports: [8080],
      container: { mappings: [{ port: 8080, containerPort: 8080 }] },
    },
  },
  {
    line: "dewy container --registry img://docker.io/myuser/myapp --container-port 3000",
    means: {
      registry: "img://docker.io/myuser/myapp",
      ports: [3000],
      container: { mappings: [{ port: 3000, containerPort: 3000 }] },
    },
  },
  {
    line: "dewy container --registry img://gcr.io/my-project/myapp --container-port 8080",
    means: {
      registry: "img://gcr.io/my-project/myapp",
      ports: [8080],
      container: { mappings: [{ port: 8080, containerPort: 8080 }] },
    },
  },
  {
    line: "dewy container --registry img://ghcr.io/myorg/private-app",
    means: { registry: "img://ghcr.io/myorg/private-app", container: {} },
  },
];

export interface ContainerMeaning {
  registry: string;
  ports?: number[];
  intervalMs?: number;
  drainMs?: number;
  container: object;
}
