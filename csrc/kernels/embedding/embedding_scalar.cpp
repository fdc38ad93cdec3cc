#include "kernels/embedding/embedding_generic.h"
