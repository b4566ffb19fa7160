"""Writes the networks of a release as ONNX files, which run without TensorFlow: in a browser, on a phone, in C++.

Each file maps named float32 arrays with any number of rows to others. Before it is written, onnxruntime computes
the release's golden outputs with it, see `training.export`.
"""

import importlib.util
import logging
import os

import numpy as np

from common import release
from common.errors import InputError
from common.files import write_atomically
from common.images import to_uint8
from training.export import golden_outputs

PACKAGES = ("onnx", "onnxruntime", "tf2onnx")  # of the extra "onnx"
TOLERANCE = 2e-3  # of golden latents, probabilities and features, relative and absolute
COUNT = 8  # golden outputs


def check_packages():
    """Raises InputError unless all packages that an export needs are installed. Imports none of them."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"The packages {', '.join(PACKAGES)} must be installed for --onnx. Received: no {', '.join(missing)}; "
            'pip install -c constraints.txt -e ".[onnx]" installs them.'
        )


def export(source, folder):
    """Writes one file for each network of a release that is of use alone.

    An ACAI has encoder.onnx, images [N, W, W, C] -> latents [N, h, w, c], and decoder.onnx, latents -> images, not
    clipped. A GAN has generator.onnx, noise [N, noise_size] and, if conditional, class_weights [N, classes] ->
    images. A classifier has classifier.onnx, images -> probabilities [N, classes] and features [N, d], means over
    each image and its mirror image. Images are float32 in [-1, 1].

    Args:
        source: name of a bundled model, or path of a run directory.
        folder: an existing one.

    Returns:
        The files' paths.

    Raises:
        InputError: there is no such release.
        RuntimeError: onnxruntime computes other outputs than Keras; nothing is written for that network.
    """
    origin = release.resolve(source)
    family = release.family(origin)
    config, weights, bank, _ = release.read(origin, family)
    golden, paths = golden_outputs(origin), []
    for name, (function, inputs, outputs) in NETWORKS[family](config["model"], weights, bank).items():
        data = convert(function, inputs)
        computed = run(data, inputs)
        for output, key in outputs.items():
            if not agree(computed[output], golden[key]):
                raise RuntimeError(f"{name}.onnx: the output {output} differs from the golden output {key}")
        paths.append(os.path.join(folder, f"{name}.onnx"))
        write_atomically(paths[-1], data)
    return paths


def convert(function, inputs):
    """Returns a function of tensors as the bytes of an ONNX file.

    Args:
        function: takes tensors in the order of `inputs` and returns {name: tensor}.
        inputs: {name: array}. In the file their number of rows is "N".
    """
    import tensorflow as tf
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    signature = [tf.TensorSpec((None, *array.shape[1:]), tf.float32, name) for name, array in inputs.items()]
    handlers = {"Erfc": (replace_erfc, [])}
    model, _ = tf2onnx.convert.from_function(tf.function(function), signature, custom_op_handlers=handlers)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"  # otherwise a name such as unk__1166
    return model.SerializeToString()


def replace_erfc(graph, node, name, _):
    """Replaces Erfc, of GELU, by 1 - Erf: ONNX has only the latter, and tf2onnx leaves that to its callers."""
    shape, dtype = graph.get_shape(node.output[0]), graph.get_dtype(node.output[0])
    graph.remove_node(name)
    one = graph.make_const(f"{name}_one", np.ones((), np.float32))
    erf = graph.make_node("Erf", node.input)
    inputs = [one.output[0], erf.output[0]]
    graph.make_node("Sub", inputs, name=name, outputs=node.output, shapes=[shape], dtypes=[dtype])


def run(model, inputs):
    """Returns {name: array}, the outputs of an ONNX file (a path, or its bytes) for {name: array}."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model)
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, inputs), strict=True))


def agree(computed, golden):
    """Whether outputs agree with golden ones: pictures to one grey level, others within TOLERANCE."""
    if golden.dtype == np.uint8:
        return np.abs(to_uint8(computed).astype(int) - golden).max() <= 1
    return np.allclose(computed, golden, TOLERANCE, TOLERANCE)


# Each returns {name of a file: (function, {input: array} of the golden outputs, {output: golden output})}.


def of_acai(model_config, weights, bank):
    from acai.inference import ReleasedACAI

    model = ReleasedACAI(model_config, weights, "the release")
    latents = np.asarray(bank["latents"][:COUNT], np.float32)
    decode, encode = model.autoencoder.decode, model.autoencoder.encode
    return {
        "decoder": (lambda latents: {"images": decode(latents)}, {"latents": latents}, {"images": "decoded"}),
        "encoder": (
            lambda images: {"latents": encode(images)},
            {"images": model.decode(latents)},
            {"latents": "encoded"},
        ),
    }


def of_gan(model_config, weights, _):
    from gan.inference import ReleasedGAN
    from training.gan import fixed_inputs

    model = ReleasedGAN(model_config, weights, "the release")
    inputs = dict(zip(("noise", "class_weights"), fixed_inputs(model, COUNT), strict=False))
    if model.classes:
        inputs["class_weights"] = np.eye(model.classes, dtype=np.float32)[inputs["class_weights"]]

    def generate(*inputs):
        return {"images": model.generator(inputs if model.classes else inputs[0])}

    return {"generator": (generate, inputs, {"images": "sampled"})}


def of_classifier(model_config, weights, _):
    import tensorflow as tf

    from classifiers.inference import ReleasedClassifier

    model = ReleasedClassifier(model_config, weights, "the release")
    return averaging_mirrored(model, lambda logits: tf.nn.softmax(logits / model.temperature))


def of_wing_classifier(model_config, weights, _):
    import tensorflow as tf

    from classifiers.inference import ReleasedWingClassifier

    model = ReleasedWingClassifier(model_config, weights, "the release")
    return averaging_mirrored(model, lambda logits: tf.sigmoid(logits * model.scale + model.offset))


def averaging_mirrored(model, probabilities):
    """As the functions above, of a classifier and the function that turns its logits into probabilities."""
    from training.classifier import noise_pictures

    def classify(images):
        plain, mirrored = model.network(images), model.network(images[:, :, ::-1])
        means = {name: (plain[name] + mirrored[name]) / 2 for name in plain}
        return {"probabilities": probabilities(means["logits"]), "features": means["features"]}

    inputs = {"images": noise_pictures(model.width).astype(np.float32)}
    return {"classifier": (classify, inputs, {name: name for name in ("probabilities", "features")})}


NETWORKS = {
    "acai": of_acai,
    "gan": of_gan,
    "classifier": of_classifier,
    "wing_classifier": of_wing_classifier,
}
