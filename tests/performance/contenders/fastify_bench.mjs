// The same application on Fastify, with pg for rows and nothing else on.
import Fastify from "fastify";
import pg from "pg";

const ROW = { name: "row", text: "SELECT id, name FROM bench_rows WHERE id = $1" };
const pool = new pg.Pool({ ...JSON.parse(process.env.BENCH_PG), max: 8 });
const app = Fastify({ logger: false });

const row = async (id) => (await pool.query({ ...ROW, values: [id] })).rows[0];

app.get("/plaintext", (_request, reply) => reply.type("text/plain").send("Hello, world!"));
app.get("/json", async () => ({ message: "Hello, world!" }));
app.get("/users/:id", async (request) => ({ id: Number(request.params.id) }));
app.get("/rows/:id", async (request) => row(request.params.id));
app.get("/rows/:id/and/:count", async (request) => {
  const first = Number(request.params.id);
  const ids = Array.from({ length: Number(request.params.count) }, (_, step) => first + step);
  return Promise.all(ids.map(row));
});

await app.listen({ host: "127.0.0.1", port: Number(process.argv[2]) });
