// Runs an exported folder in Node and prints what it labels: one JSON document from stdin to stdout.
//   node check.mjs FOLDER PACKAGES < {"texts": […], "kind": "token", "models": ["fp32", "q8"]}

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, packages] = process.argv.slice(2).map((name) => path.resolve(name));
const entry = createRequire(path.join(packages, 'check.js')).resolve('@huggingface/transformers');
const transformers = await import(pathToFileURL(entry));
const { Labeller } = await import(pathToFileURL(path.join(folder, 'labelkit.js')));
const { texts, kind, models } = JSON.parse(fs.readFileSync(0, 'utf8'));

// labels of texts go to stdout alone
console.log = console.info = console.warn = console.error;
transformers.env.allowRemoteModels = false;
const task = kind === 'token' ? 'token-classification' : 'text-classification';
const found = {};
for (const dtype of models) {
  const pipe = await transformers.pipeline(task, folder, { dtype });
  const piped = [];
  for (const text of texts) piped.push((await pipe(Array.isArray(text) ? text.join(' ') : text)).length);
  const labeller = await Labeller.load(transformers, folder, { dtype });
  found[dtype] = { records: await labeller.labelAll(texts), piped };
}
process.stdout.write(JSON.stringify({ version: transformers.env.version, node: process.version, found }));
