"""Connected components of a bipartite graph of customers and e-mails."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components as label_components


def connected_components(edges: pa.Table) -> pa.Table:
    """Label the identifiers that links join, directly or through others.

    Linear in the edges whatever the length of a chain or the size of a hub (SciPy's strongly typed
    breadth-first search over a sparse matrix).

    Parameters
    ----------
    edges
        One row per link: columns `customer_id` and `email_hash`, text without nulls.

    Returns
    -------
    pyarrow.Table
        One row per identifier of a link: `identifier_kind` (customer_id, email_hash), `identifier`,
        `smallest_customer_id` (of the component, in the order of its bytes: it names the person).
    """
    customers = edges["customer_id"].cast(pa.string()).combine_chunks().dictionary_encode()
    emails = edges["email_hash"].cast(pa.string()).combine_chunks().dictionary_encode()
    customer_count = len(customers.dictionary)
    node_count = customer_count + len(emails.dictionary)
    rows = customers.indices.to_numpy()
    columns = emails.indices.to_numpy() + customer_count
    weights = np.ones(len(rows), dtype=np.int8)
    graph = coo_array((weights, (rows, columns)), shape=(node_count, node_count))
    labels = label_components(graph, directed=False)[1] if node_count else np.empty(0, np.int32)
    # in falling order, so that the smallest is the last that a component is given
    places = pc.array_sort_indices(customers.dictionary, order="descending").to_numpy()
    smallest = np.zeros(labels.max(initial=-1) + 1, dtype=np.int64)
    smallest[labels[places]] = places
    kinds = np.repeat(["customer_id", "email_hash"], [customer_count, node_count - customer_count])
    return pa.table(
        {
            "identifier_kind": pa.array(kinds, pa.string()),
            "identifier": pa.concat_arrays([customers.dictionary, emails.dictionary]),
            "smallest_customer_id": customers.dictionary.take(pa.array(smallest[labels])),
        }
    )
