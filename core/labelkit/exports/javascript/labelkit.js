// Labels texts with an exported labeller as labelkit does: words, windows over long texts, one label for each word, and
// spans with their places. It has no dependencies: give it the module @huggingface/transformers.
//
//   import * as transformers from '@huggingface/transformers';
//   import { Labeller } from './my-labeller/labelkit.js';
//   const labeller = await Labeller.load(transformers, './my-labeller');
//   const record = await labeller.label('Ada Lovelace lived in London.');

import { makeTokenizer } from './labelkit-tokens.js';
import { Characters, splitWords } from './labelkit-words.js';

const SETTINGS = 'labelkit-js.json';
const FORMAT = 2;
// subwords of a batch, padding included
const BUDGET = 1024;
const NO_WORD = -1;
const IMPOSSIBLE = -1e4;
const BLANK_TEXT_BIAS = 1e-3;

export class Labeller {
  /**
   * Load an exported folder.
   * @param transformers the module @huggingface/transformers
   * @param {string} folder a path in Node, a URL or a path of the site in browsers
   * @param options given to from_pretrained of transformers.js; dtype 'fp32' (default), or 'q8' for the int8 model
   */
  static async load(transformers, folder, options = {}) {
    const place = String(folder).replace(/[\\/]+$/, '');
    const settings = await readJson(place, SETTINGS);
    if (settings.format !== FORMAT) throw new Error(`${place} was exported by another version of labelkit`);
    const tokenizer = await readJson(place, 'tokenizer.json');
    const config = await readJson(place, 'tokenizer_config.json');
    const kind = settings.kind === 'token' ? 'AutoModelForTokenClassification' : 'AutoModelForSequenceClassification';
    const model = await transformers[kind].from_pretrained(place, { dtype: 'fp32', ...options });
    return new Labeller(transformers, model, makeTokenizer(transformers, tokenizer, config, settings), settings);
  }

  constructor(transformers, model, tokenizer, settings) {
    this.transformers = transformers;
    this.model = model;
    this.tokenizer = tokenizer;
    this.settings = settings;
    this.characters = new Characters(settings.characters);
  }

  /** Label a text, or the words of a sentence; every word gets exactly one label. */
  async label(text) {
    return (await this.labelAll([text]))[0];
  }

  /** Label several texts at once and return their records in order. */
  async labelAll(texts) {
    if (!Array.isArray(texts)) throw new TypeError('labelAll takes an array of texts');
    const token = this.settings.kind === 'token';
    const inputs = texts.map((text, index) => this.#input(text, index));
    const encoded = inputs.map((input) => (token ? this.#encodeWords(input.words) : this.#encodeText(input.text)));
    const scores = await this.#score(encoded, inputs);
    return inputs.map((input, index) =>
      (token ? this.#tokenRecord : this.#textRecord).call(this, input, encoded[index], scores[index]),
    );
  }

  #input(given, index) {
    if (typeof given === 'string') {
      if (this.settings.kind === 'text') return { text: given };
      const offsets = splitWords(given, this.settings.splitter, this.characters);
      return { text: given, offsets, words: offsets.map(([start, end]) => given.slice(start, end)) };
    }
    const words = Array.isArray(given) && given.every((word) => typeof word === 'string');
    if (!words || this.settings.kind === 'text') {
      const needed = this.settings.kind === 'text' ? 'a string' : 'a string or an array of words';
      throw new TypeError(`text ${index + 1}: ${needed} is needed`);
    }
    let place = 0;
    const offsets = given.map((word) => [place, (place += word.length + 1) - 1]);
    return { text: given.join(' '), offsets, words: given };
  }

  #encodeWords(words) {
    const { leading_space: spaced, blank_ids: blanks } = this.settings;
    const ids = [];
    let owners = [];
    this.tokenizer.words(words, spaced).forEach((found, word) => {
      ids.push(...found);
      owners.push(...found.map(() => word));
    });
    const kept = withoutLongWords(ids, owners, this.#capacity);
    const bounds = splitIntoWindows(kept.owners, this.#capacity, this.settings.stride);
    const fallback = words.length - new Set(kept.owners).size;
    const noSubtokens = fallback - kept.dropped;
    owners = withoutBlanks(kept.ids, kept.owners, blanks);
    const counts = { fallback, no_subtokens: noSubtokens, too_long: kept.dropped };
    return {
      windows: bounds.map((bound) => this.#window(kept.ids, owners, bound)),
      coverage: { words: words.length, windows: bounds.length, ...counts },
    };
  }

  #encodeText(text) {
    const ids = this.tokenizer.text(text);
    const bounds = splitIntoWindows([...ids.keys()], this.#capacity, this.settings.stride);
    const owners = ids.map(() => 0);
    const blank = bounds.length ? 0 : 1;
    return {
      windows: bounds.map((bound) => ({
        ...this.#window(ids, owners, bound),
        weight: (bound.ownStop - bound.ownStart) / ids.length,
      })),
      coverage: { words: 1, windows: bounds.length, fallback: blank, no_subtokens: blank, too_long: 0 },
    };
  }

  get #capacity() {
    return this.settings.max_length - this.settings.prefix.length - this.settings.suffix.length;
  }

  #window(ids, owners, { start, stop, ownStart, ownStop }) {
    const { prefix, suffix } = this.settings;
    const owned = (at) => at + start >= ownStart && at + start < ownStop;
    const mine = owners.slice(start, stop).map((word, at) => (owned(at) ? word : NO_WORD));
    return {
      ids: [...prefix, ...ids.slice(start, stop), ...suffix],
      words: [...prefix.map(() => NO_WORD), ...mine, ...suffix.map(() => NO_WORD)],
    };
  }

  /** Return for each input the log-probabilities of its words, or of its text. */
  async #score(encoded, inputs) {
    const token = this.settings.kind === 'token';
    const scores = inputs.map((input) => (token ? input.words.map(() => this.#uncovered()) : null));
    const sums = inputs.map(() => null);
    const windows = encoded.flatMap((one, input) => one.windows.map((window) => ({ ...window, input })));
    for (const batch of batches(windows)) {
      const logits = await this.#run(batch);
      const length = logits.dims[1];
      const width = logits.dims[logits.dims.length - 1];
      batch.forEach((window, row) => {
        const at = (index) => Array.from(logits.data.subarray(index * width, (index + 1) * width));
        if (!token) {
          sums[window.input] = add(sums[window.input], this.#averaged(at(row)), window.weight);
          return;
        }
        const shift = this.settings.pad_left ? length - window.ids.length : 0;
        window.words.forEach((word, index) => {
          if (word === NO_WORD || word === window.words[index - 1]) return;
          scores[window.input][word] = this.#columns(logSoftmax(at(row * length + shift + index)));
        });
      });
    }
    return token ? scores : sums.map((sum) => this.#textScores(sum));
  }

  #uncovered() {
    return this.settings.labels.map((_, label) => (label === this.settings.fallback ? 0 : IMPOSSIBLE));
  }

  async #run(batch) {
    const { pad_id: padId, pad_left: left, prefix, suffix, token_types: types } = this.settings;
    const length = Math.max(...batch.map((window) => window.ids.length));
    const tensor = (values, fill) => {
      const data = new BigInt64Array(batch.length * length).fill(BigInt(fill));
      batch.forEach((window, row) => {
        const shift = row * length + (left ? length - window.ids.length : 0);
        values(window).forEach((value, index) => (data[shift + index] = BigInt(value)));
      });
      return new this.transformers.Tensor('int64', data, [batch.length, length]);
    };
    const inputs = {
      input_ids: tensor((window) => window.ids, padId),
      attention_mask: tensor((window) => window.ids.map(() => 1), 0),
    };
    if (types) {
      const typesOf = ({ ids }) =>
        ids.map((_, index) => types[index < prefix.length ? 0 : index < ids.length - suffix.length ? 1 : 2]);
      inputs.token_type_ids = tensor(typesOf, 0);
    }
    return (await this.model(inputs)).logits;
  }

  /** Return what is averaged over the windows of a text: log-probabilities, or outputs of another head. */
  #averaged(row) {
    const { multilabel, numeric, output_of: columns } = this.settings;
    return multilabel || numeric || columns.length ? row : logSoftmax(row);
  }

  #textScores(sum) {
    const { labels, multilabel, numeric, fallback, output_of: columns } = this.settings;
    if (numeric) return sum ?? [fallback];
    if (multilabel) return sum ? sum.map(logSigmoid) : labels.map(() => IMPOSSIBLE);
    if (columns.length) return this.#columns(logSoftmax(sum ?? Array(1 + Math.max(...columns)).fill(0)));
    return logSoftmax(sum ?? labels.map((_, label) => (label === fallback ? BLANK_TEXT_BIAS : 0)));
  }

  #columns(scores) {
    const columns = this.settings.output_of;
    return columns.length ? columns.map((column) => (column < 0 ? IMPOSSIBLE : scores[column])) : scores;
  }

  #tokenRecord(input, { coverage }, scores) {
    const { labels, scheme, decoder, rules, temperature } = this.settings;
    const ids = decoder === 'viterbi' && rules ? viterbi(scores, rules) : scores.map(argmax);
    const confidence = scores.map((row, word) => probability(row, ids[word], temperature));
    const tags = ids.map((id) => labels[id]);
    const found = scheme ? spansOf(tags) : tags.map((label, word) => ({ first: word, stop: word + 1, label }));
    const valid = scheme ? tagsOf(found, tags.length, scheme) : tags;
    const places = codePoints(input.text);
    const spans = found.map(({ first, stop, label }) => {
      const [start, end] = [input.offsets[first][0], input.offsets[stop - 1][1]];
      return {
        start: places(start),
        end: places(end),
        label,
        score: rounded(Math.min(...confidence.slice(first, stop))),
        text: input.text.slice(start, end),
        utf16: { start, end },
      };
    });
    const repaired = tags.filter((tag, word) => tag !== valid[word]).length;
    return { text: input.text, words: input.words, labels: valid, spans, coverage: { ...coverage, repaired } };
  }

  #textRecord({ text }, { coverage }, scores) {
    const { labels, multilabel, numeric, thresholds, temperature } = this.settings;
    if (numeric) {
      const number = Number(scores[0].toPrecision(6));
      return { text, label: String(number), number, coverage };
    }
    if (multilabel) {
      const exact = scores.map(Math.exp);
      const chosen = labels.filter((_, label) => exact[label] >= thresholds[label]);
      return { text, labels: chosen, scores: named(labels, exact.map(rounded)), coverage };
    }
    const best = argmax(scores);
    const all = labels.map((_, label) => rounded(probability(scores, label, temperature)));
    return { text, label: labels[best], score: all[best], scores: named(labels, all), coverage };
  }
}

async function readJson(folder, name) {
  const inNode = typeof process !== 'undefined' && process.versions?.node && !/^https?:/.test(folder);
  try {
    if (inNode) {
      const [files, path] = await Promise.all([import('node:fs/promises'), import('node:path')]);
      return JSON.parse(await files.readFile(path.join(folder, name), 'utf8'));
    }
    const answer = await fetch(`${folder}/${name}`);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return await answer.json();
  } catch (error) {
    throw new Error(`${folder}/${name} cannot be read: ${error.message}`);
  }
}

/** Return the windows over subwords, at word boundaries; each subword is owned by one of them. */
export function splitIntoWindows(owners, capacity, stride) {
  const total = owners.length;
  if (total <= capacity) return total ? [{ start: 0, stop: total, ownStart: 0, ownStop: total }] : [];
  const borders = owners.flatMap((word, index) => (index === 0 || word !== owners[index - 1] ? [index] : []));
  borders.push(total);
  const shared = Math.min(stride, Math.floor(capacity / 2));
  const windows = [];
  for (let start = 0; ; ) {
    const stop = borders.findLast((border) => border <= start + capacity);
    windows.push({ start, stop, ownStart: 0, ownStop: total });
    if (stop === total) break;
    const next = borders.find((border) => border > stop);
    const earliest = Math.max(stop - shared, next - capacity);
    start = borders.find((border) => border >= earliest);
  }
  for (let index = 1; index < windows.length; index += 1) {
    const [before, after] = [windows[index - 1], windows[index]];
    const middle = (before.stop + after.start) / 2;
    const both = borders.filter((border) => border >= after.start && border <= before.stop);
    const distance = (border) => Math.abs(border - middle);
    const nearest = both.reduce((best, border) => (distance(border) < distance(best) ? border : best));
    before.ownStop = after.ownStart = nearest;
  }
  return windows;
}

function withoutLongWords(ids, owners, capacity) {
  const sizes = new Map();
  for (const word of owners) sizes.set(word, (sizes.get(word) ?? 0) + 1);
  const fits = owners.map((word) => sizes.get(word) <= capacity);
  return {
    ids: ids.filter((_, index) => fits[index]),
    owners: owners.filter((_, index) => fits[index]),
    dropped: [...sizes.values()].filter((size) => size > capacity).length,
  };
}

function withoutBlanks(ids, owners, blanks) {
  return owners.map((word, index) => {
    const begins = word !== owners[index - 1] && word === owners[index + 1];
    return begins && blanks.includes(ids[index]) ? NO_WORD : word;
  });
}

function* batches(windows) {
  const sorted = [...windows].sort((a, b) => b.ids.length - a.ids.length);
  for (let start = 0; start < sorted.length; ) {
    const size = Math.max(1, Math.floor(BUDGET / sorted[start].ids.length));
    yield sorted.slice(start, start + size);
    start += size;
  }
}

const argmax = (row) => row.reduce((best, value, index) => (value > row[best] ? index : best), 0);
const rounded = (value) => Math.round(value * 1e4) / 1e4;
const named = (labels, values) => Object.fromEntries(labels.map((label, index) => [label, values[index]]));
const add = (sum, row, weight) => row.map((value, index) => (sum?.[index] ?? 0) + value * weight);

const logSigmoid = (value) => Math.min(value, 0) - Math.log1p(Math.exp(-Math.abs(value)));

function logSoftmax(row) {
  const most = row.reduce((a, b) => Math.max(a, b));
  const total = Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
  return row.map((value) => value - most - total);
}

function probability(row, label, temperature) {
  return Math.exp(logSoftmax(row.map((value) => value / temperature))[label]);
}

/** Return the likeliest labels that the tagging scheme allows, by the rules that labelkit wrote. */
export function viterbi(scores, { first, last, common, inside, openers }) {
  if (!scores.length) return [];
  const open = new Map(inside.map((label, index) => [label, openers[index]]));
  const without = (row, allowed) => row.map((value, label) => (allowed[label] ? value : -Infinity));
  const at = (word) => {
    const row = word === 0 ? without(scores[word], first) : scores[word];
    return word === scores.length - 1 ? without(row, last) : row;
  };
  let total = at(0);
  const steps = [];
  for (let word = 1; word < scores.length; word += 1) {
    const before = total;
    const best = common.reduce((most, label) => (before[label] > before[most] ? label : most));
    const from = scores[word].map((_, label) => {
      const pair = open.get(label);
      return pair ? (before[pair[1]] > before[pair[0]] ? pair[1] : pair[0]) : best;
    });
    total = at(word).map((value, label) => value + before[from[label]]);
    steps.push(from);
  }
  const labels = [argmax(total)];
  for (const from of steps.reverse()) labels.push(from[labels[labels.length - 1]]);
  return labels.reverse();
}

/** Return the spans of tags as the CoNLL scorer reads them. */
export function spansOf(tags) {
  const spans = [];
  let open = null;
  tags.forEach((tag, word) => {
    const hyphen = tag.indexOf('-');
    const [prefix, label] = tag === 'O' ? ['O', ''] : [tag.slice(0, hyphen), tag.slice(hyphen + 1)];
    if (open && label === open.label && 'IEL'.includes(prefix)) open.stop = word + 1;
    else {
      open = label ? { first: word, stop: word + 1, label } : null;
      if (open) spans.push(open);
    }
    if ('ESLU'.includes(prefix)) open = null;
  });
  return spans;
}

/** Return one tag for each word, valid in the scheme. */
export function tagsOf(spans, length, scheme) {
  const tags = Array(length).fill('O');
  spans.forEach(({ first, stop, label }, index) => {
    const before = spans[index - 1];
    const touches = before && before.stop === first && before.label === label;
    for (let word = first; word < stop; word += 1) {
      tags[word] = `${prefixOf(word, first, stop, scheme, touches)}-${label}`;
    }
  });
  return tags;
}

function prefixOf(word, first, stop, scheme, touches) {
  if (scheme === 'IOB1') return word === first && touches ? 'B' : 'I';
  if (scheme === 'IOB2') return word === first ? 'B' : 'I';
  const [last, single] = scheme === 'BIOES' ? ['E', 'S'] : ['L', 'U'];
  if (stop - first === 1) return single;
  return word === first ? 'B' : word === stop - 1 ? last : 'I';
}

/** Return a function from ascending places in UTF-16 units to code points. */
function codePoints(text) {
  let [unit, point] = [0, 0];
  return (place) => {
    while (unit < place) {
      unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
      point += 1;
    }
    return point;
  };
}
